import CKernels
import COpenBLAS
import Foundation
import Synchronization
import TestSupport
import Testing

/// Weight gradients of transposed convolutions by OpenBLAS. Which instruction set has them in this process depends on its core type: SkylakeX
/// (AVX-512) where the processor has that, unless RUNNER_OPENBLAS_CORETYPE=Haswell (AVX2) stands in the environment.
@Suite(.serialized, .wholeProcessor) struct MatrixProductTests {
  /// Shapes with enough channels for every row of the table in conv_gemm.c.
  static let shapes = [
    Convolution(CK_CONV_TRANSPOSED, kernel: 2, stride: 2, padding: 0, sides: (16, 16), slabs: [256], to: 20, images: 3),
    Convolution(CK_CONV_TRANSPOSED, kernel: 2, stride: 2, padding: 0, sides: (5, 48), slabs: [100, 150, 7], to: 16, images: 2),
    // Two strips, the last one short; two parts of 33 channels.
    Convolution(CK_CONV_TRANSPOSED, kernel: 2, stride: 2, padding: 0, sides: (35, 16), slabs: [256], to: 66, images: 1),
  ]

  /// Without the library, as on a computer that does not have it.
  private static func without<T>(_ body: () -> T) -> T {
    openblas_allow(0)
    defer { openblas_allow(1) }
    return body()
  }

  private static func library(_ isa: ck_isa) -> String { isa.use { String(cString: ck_conv_library()) } }
  private static var isLoaded: Bool { openblas_available() != 0 }

  @Test(arguments: shapes, [(relu: true, accumulate: false), (false, true)])
  func `agrees with the plain loops, with the library and without`(convolution: Convolution, how: (relu: Bool, accumulate: Bool)) {
    var convolution = convolution
    convolution.relu = how.relu
    let expected = CK_ISA_REFERENCE.use { convolution.run(accumulate: how.accumulate) }
    for isa in ck_isa.fast {
      for found in isa.use({ [convolution.run(accumulate: how.accumulate), Self.without { convolution.run(accumulate: how.accumulate) }] }) {
        #expect(found.intact)
        for (k, (a, b)) in zip(found.all, expected.all).enumerated() {
          #expect(largestError(a, b) < 2e-5, "\(isa.testDescription), result \(k) of y, dx…, dkernel, dbias")
        }
      }
    }
  }

  @Test(arguments: shapes, ck_isa.fast) func `the order of tasks does not change a bit`(convolution: Convolution, isa: ck_isa) {
    isa.use { #expect(convolution.run(accumulate: true) == convolution.run(accumulate: true, reversed: true)) }
  }

  @Test(.enabled(if: ck_isa.tilesAreRunnable), arguments: shapes)
  func `in float32 the sets beyond AVX-512 have its bits, with the library and without`(convolution: Convolution) {
    func both(_ isa: ck_isa) -> [Convolution.Results] {
      isa.use { [convolution.run(accumulate: true), Self.without { convolution.run(accumulate: true) }] }
    }
    let expected = both(CK_ISA_AVX512), library = Self.library(CK_ISA_AVX512)
    for isa in ck_isa.beyondAVX512 {
      let same = both(isa) == expected
      #expect(same && Self.library(isa) == library, "\(isa.testDescription)")
    }
  }

  @Test(arguments: shapes) func `threads that compute at once get the same bits`(convolution: Convolution) {
    ck_isa_best().use {
      let alone = convolution.run(), wrong = Atomic(0)
      DispatchQueue.concurrentPerform(iterations: 12) { _ in
        if convolution.run() != alone { wrong.add(1, ordering: .relaxed) }
      }
      #expect(wrong.load(ordering: .relaxed) == 0)
    }
  }

  /// ⟨kernel, dkernel⟩ = ⟨x, dx⟩, where dx does not come from a product.
  @Test(arguments: shapes, ck_isa.fast) func `the gradient is adjoint to the forward pass`(convolution: Convolution, isa: ck_isa) {
    var convolution = convolution
    convolution.relu = false
    let r = isa.use { convolution.run(withoutBias: true) }
    var data = 0.0, size = 0.0
    for (s, (x, dx)) in zip(convolution.x(), r.dx).enumerated() {
      let image = convolution.inImage(s)
      for i in 0..<dx.count where i % image < image - Convolution.gap {
        let product = Double(x.start[i]) * Double(dx[i])
        data += product
        size += abs(product)
      }
    }
    let kernel = zip(convolution.kernel().values, r.dkernel).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    #expect(abs(kernel - data) < 2e-6 * size)
  }

  @Test func `the library is taken by one instruction set, and said`() {
    #expect(Self.library(CK_ISA_REFERENCE) == "none" && Self.library(CK_ISA_BASELINE) == "none")
    #expect(ck_isa.runnable.allSatisfy { isa in Self.without { Self.library(isa) } == "none" })
    guard Self.isLoaded else { return }
    let description = String(cString: openblas_description())
    #expect(description.wholeMatch(of: /openblas-\d+\.\d+\.\d+(\.dev)?-\w+/) != nil, "\(description)")
    // Those above AVX-512 are AVX-512 in float32.
    let taking = ck_isa.fast.filter { Self.library($0) != "none" && $0.rawValue <= CK_ISA_AVX512.rawValue }
    #expect(taking.count <= 1 && taking.allSatisfy { Self.library($0) == description })

    // The products are taken: they do not have the direct path's bits.
    if let isa = taking.first {
      isa.use {
        for shape in Self.shapes {
          let direct = Self.without { shape.run() }, product = shape.run()
          #expect(product.dkernel != direct.dkernel && product.y == direct.y && product.dx == direct.dx, "\(shape.testDescription)")
        }
      }
    }
  }

  @Test func `the core type fits the processor, whatever OPENBLAS_CORETYPE says`() {
    guard Self.isLoaded else { return }
    let core = String(cString: openblas_core())
    if let own = ProcessInfo.processInfo.environment["RUNNER_OPENBLAS_CORETYPE"], !own.isEmpty {
      #expect(core.lowercased() == own.lowercased())
    } else if ck_isa_best().rawValue >= CK_ISA_AVX512.rawValue {
      #expect(core == "SkylakeX")
    } else if ck_isa_best() == CK_ISA_AVX2 {
      #expect(core == "Haswell")
    }
  }

  #if os(Linux)
    @Test func `loading leaves the environment as it was`() throws {
      guard Self.isLoaded else { return }
      let began = try Data(contentsOf: URL(filePath: "/proc/self/environ")).split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      for name in ["OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"] {
        let before = began.first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
        #expect(getenv(name).map { String(cString: $0) } == before, "\(name)")
      }
    }
  #endif

  static let products = [(1, 1, 1), (3, 5, 7), (64, 33, 20), (17, 128, 300), (129, 65, 515)]

  @Test(arguments: products, [(false, false), (false, true), (true, false), (true, true)])
  func `a product is its definition`(sides: (m: Int, n: Int, k: Int), transposed: (a: Bool, b: Bool)) {
    guard Self.isLoaded else { return }
    let (m, n, k) = sides, gap = 3
    let (lda, ldb, ldc) = ((transposed.a ? m : k) + gap, (transposed.b ? k : n) + gap, n + gap)
    let a = samples((transposed.a ? k : m) * lda, seed: 1), b = samples((transposed.b ? n : k) * ldb, seed: 2)
    let before = samples(m * ldc, seed: 3)
    for beta in [Float(0), 1] {
      let c = Guarded(before)
      // With beta = 0 what c holds must not matter.
      if beta == 0 { for i in 0..<m { for j in 0..<n { c.start[i * ldc + j] = .nan } } }
      openblas_sgemm(
        transposed.a ? 1 : 0, transposed.b ? 1 : 0, Int32(m), Int32(n), Int32(k), a, Int32(lda), b, Int32(ldb), beta, c.start, Int32(ldc))
      var expected = before
      for i in 0..<m {
        for j in 0..<n {
          var sum = beta == 0 ? 0 : Double(before[i * ldc + j])
          for l in 0..<k { sum += Double(a[transposed.a ? l * lda + i : i * lda + l]) * Double(b[transposed.b ? j * ldb + l : l * ldb + j]) }
          expected[i * ldc + j] = Float(sum)
        }
      }
      #expect(c.isIntact && largestError(c.values, expected) < 1e-5)
    }
  }
}
