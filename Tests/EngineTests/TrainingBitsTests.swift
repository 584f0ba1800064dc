import CKernels
import Engine
import TensorCore
import TestSupport
import Testing

/// A training's bits, stored: committed results say which settings, data and instruction set they came from, and these must go on to mean the same bits.
///
/// Where a digest here changes, a trial that is trained again no longer gives the committed rows: either the change goes, or the meaning of `train`
/// is raised (`JobKind.meaningVersion`), and what was trained is trained again.
@Suite(.serialized, .wholeProcessor) struct TrainingBitsTests {
  struct Case: Sendable, CustomStringConvertible {
    var description: String
    var network: NetworkConfiguration
    /// By `arithmetics`.
    var digests: [UInt64]
    init(_ architecture: String, _ upsampling: NetworkConfiguration.Upsampling = .transposed, batchNorm: Bool = false, dropout: Float = 0, digests: [UInt64]) {
      network = NetworkConfiguration(
        architecture: architecture, baseFilters: 8, depth: 4, upsampling: upsampling, batchNormalization: batchNorm, dropout: dropout)
      description = "\(architecture), \(upsampling), \(batchNorm ? "batch norm, " : "")drop-out \(dropout)"
      self.digests = digests
    }
  }
  /// Those that digests are stored of; on another one, or with another matrix library, a training may have other bits.
  static let arithmetics = ["reference", "baseline", "avx2", "avx512+openblas-0.3.21-SkylakeX"]
  static let cases = [
    Case("unet", dropout: 0.5, digests: [0x278c1e84d90d27c9, 0x5ed58e62bfb64de2, 0x34703b49bfcb917d, 0x83fa61c0ceee3261]),
    Case("unet", dropout: 0.3, digests: [0x289f28206c7eb890, 0xd4f48ac18ce87937, 0x9499d59f71b06f63, 0xc3c833e3a7bd43a4]),
    Case("unet", batchNorm: true, dropout: 0.5, digests: [0x8c42e731ed325610, 0xdd689c5c444514f9, 0x5fcaa1dbc37a6df2, 0x8b3bafe00fbb854c]),
    Case("unet++", digests: [0x096470b8702e1117, 0xf94451a6e049365f, 0xe4c9e20a43ac8a15, 0x9200c25a415f47f3]),
    Case("unet++", dropout: 0.25, digests: [0x2adba3ed01d862e1, 0xd0ee17ac91934e48, 0xc3b01c8caff3b3b2, 0xea5a499d0b7463ac]),
    Case("unet+", batchNorm: true, digests: [0x6ed83c5d245b4f1a, 0xac4aa08d48ec55e3, 0x6d1689153a4079af, 0xfcd62f61c00a6a46]),
    Case("unet+", .nearest, batchNorm: true, digests: [0x8792c11a819edef4, 0x9cef8500132903f5, 0x89f30f5fb6201dd8, 0x959d2f1b0074e291]),
    Case("unet+", .nearest, digests: [0x39593e78a10c3b84, 0x69cf70f457deb7b5, 0x796738d0ce9deaa4, 0xa3eb298afb2ab97e]),
  ]

  /// FNV-1a of the losses and of every weight.
  static func digest(_ network: NetworkConfiguration) throws -> UInt64 {
    let trainer = try Trainer(
      network: network, training: TrainingConfiguration(seed: 5, batch: 7, l2: 1e-4, bceWeight: 1, diceSmooth: 1),
      phases: [TrainingPhase(name: "train", epochs: 2, learningRate: 2e-3), TrainingPhase(name: "fine-tune", epochs: 1, learningRate: 1e-4)],
      samples: discs(count: 20, side: 32), trainingIndices: Array(0..<15), validationIndices: Array(15..<20), threads: 2)
    let outcome = try trainer.run(checkpointing: nil, progress: { _ in }, epochDone: { _ in }, shouldStop: { false })
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ word: UInt64) { for byte in 0..<8 { hash = (hash ^ (word >> (8 * byte) & 0xff)) &* 0x100_0000_01b3 } }
    for epoch in outcome.epochs { [epoch.trainLoss, epoch.validationLoss, epoch.penalty].forEach { add($0.bitPattern) } }
    for values in outcome.weights.values { values.forEach { add(UInt64($0.bitPattern)) } }
    return hash
  }

  @Test(.enabled(if: ck_isa.runnable.contains(CK_ISA_AVX2), "digests are stored of x86-64 alone"), arguments: cases) func `stay what they were`(_ row: Case) throws {
    for isa in ck_isa.runnable where isa.rawValue <= CK_ISA_AVX512.rawValue {
      try isa.use {
        let arithmetic = Processor.arithmetic(for: .f32)
        guard let stored = Self.arithmetics.firstIndex(of: arithmetic) else { return }
        let found = try Self.digest(row.network)
        #expect(found == row.digests[stored], "\(arithmetic): found 0x\(String(found, radix: 16))")
      }
    }
  }
}
