import Testing

@Suite struct DiagnosticsTestsPlaceholder { @Test func placeholder() {} }
