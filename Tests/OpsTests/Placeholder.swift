import Testing

@Suite struct OpsTestsPlaceholder { @Test func placeholder() {} }
