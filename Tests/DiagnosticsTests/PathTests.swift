import Files
import Testing

@Suite struct PathTests {
  @Test(arguments: [
    ("results/table1", "results"), ("results/table1/", "results"), ("table1", ""), ("x", ""), ("x/", ""), ("/x", "/"), ("/x/y", "/x"), ("/", "/"),
    (".", ".."), ("./", ".."), ("..", "../.."), ("a/.", "a/./.."), ("a//b", "a"), ("é", ""), ("", ".."),
  ])
  func theFolderAbove(_ path: String, _ folder: String) { #expect(parentFolder(of: path) == folder) }
}
