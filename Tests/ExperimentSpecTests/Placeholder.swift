import Testing

@Suite struct ExperimentSpecTestsPlaceholder { @Test func placeholder() {} }
