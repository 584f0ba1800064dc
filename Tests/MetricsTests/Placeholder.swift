import Testing

@Suite struct MetricsTestsPlaceholder { @Test func placeholder() {} }
