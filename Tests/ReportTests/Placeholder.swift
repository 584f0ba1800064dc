import Testing

@Suite struct ReportTestsPlaceholder { @Test func placeholder() {} }
