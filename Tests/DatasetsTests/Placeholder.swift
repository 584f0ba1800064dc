import Testing

@Suite struct DatasetsTestsPlaceholder { @Test func placeholder() {} }
