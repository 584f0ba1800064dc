import Testing

@Suite struct ImagingTestsPlaceholder { @Test func placeholder() {} }
