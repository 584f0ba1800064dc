import Testing

@Suite struct KernelTestsPlaceholder { @Test func placeholder() {} }
