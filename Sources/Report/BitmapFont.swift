/// A 5 × 8 pixel font (the lowest row for descenders) for the pictures' labels: no font file to find, the same pixels on every machine.
enum BitmapFont {
  static let height = 8
  /// From one character to the next.
  static let advance = 6

  /// Printable ASCII from the space on, and λ: five columns a glyph, two hexadecimal digits a column, the lowest bit on top.
  private static let glyphs = """
    0000000000 00005F0000 0007000700 147F147F14 242A7F2A12 2313086462
    3649552250 0005030000 001C224100 0041221C00 082A1C2A08 08083E0808
    0050300000 0808080808 0060600000 2010080402 3E5149453E 00427F4000
    4261514946 2141454B31 1814127F10 2745454539 3C4A494930 0171090503
    3649494936 064949291E 0036360000 0056360000 0008142241 1414141414
    4122140800 0201510906 324979413E 7E1111117E 7F49494936 3E41414122
    7F4141221C 7F49494941 7F09090101 3E41415132 7F0808087F 00417F4100
    2040413F01 7F08142241 7F40404040 7F0204027F 7F0408107F 3E4141413E
    7F09090906 3E4151215E 7F09192946 4649494931 01017F0101 3F4040403F
    1F2040201F 7F2018207F 6314081463 0304780403 6151494543 00007F4141
    0204081020 41417F0000 0402010204 4040404040 0001020400 2054545478
    7F48444438 3844444428 384444487F 3854545418 087E090102 18A4A49C78
    7F08040478 00447D4000 4080847D00 007F102844 00417F4000 7C04180478
    7C08040478 3844444438 FC18242418 18242418FC 7C08040408 4854545424
    043F444020 3C4040207C 1C2040201C 3C4030403C 4428102844 4C9090907C
    4464544C44 0008364100 00007F0000 0041360800 0804081008
    6119061860
    """.split(whereSeparator: \.isWhitespace).map { glyph in
      stride(from: 0, to: 10, by: 2).map { place in UInt8(glyph.dropFirst(place).prefix(2), radix: 16)! }
    }

  /// The glyph at twice its size, the share of each pixel it covers, `[row][column]`: its steps are smoothed (EPX, Johnston 1992, twice over)
  /// and averaged down again.
  static func coverage(of character: Character) -> [[Float]] {
    let columns = columns(of: character)
    let rows = (0..<height).map { row in columns.map { $0 >> row & 1 == 1 } }
    let fine = smoothed(smoothed(rows))
    return (0..<(2 * height)).map { y in
      (0..<(2 * columns.count)).map { x in
        [(0, 0), (0, 1), (1, 0), (1, 1)].reduce(0) { $0 + (fine[2 * y + $1.0][2 * x + $1.1] ? 0.25 : 0) }
      }
    }
  }

  /// Twice the size: a corner of a pixel takes the colour of the two neighbours it touches, where these agree and the others do not.
  private static func smoothed(_ rows: [[Bool]]) -> [[Bool]] {
    func at(_ y: Int, _ x: Int) -> Bool { rows.indices.contains(y) && rows[y].indices.contains(x) && rows[y][x] }
    return (0..<(2 * rows.count)).map { y in
      (0..<(2 * rows[0].count)).map { x in
        let (up, left) = (y % 2 == 0 ? -1 : 1, x % 2 == 0 ? -1 : 1)
        let a = at(y / 2 + up, x / 2), b = at(y / 2, x / 2 + left), c = at(y / 2 - up, x / 2), d = at(y / 2, x / 2 - left)
        return a == b && a != d && b != c ? a : at(y / 2, x / 2)
      }
    }
  }

  /// The columns of `character`; what the font does not have is written as it is nearest, or as `?`.
  static func columns(of character: Character) -> [UInt8] {
    let near: [Character: Character] = ["−": "-", "–": "-", "—": "-", "·": "-", "×": "x", "’": "'", "…": "."]
    if character == "λ" { return glyphs[glyphs.count - 1] }
    guard let code = (near[character] ?? character).asciiValue, code >= 32, code < 127 else { return glyphs[Int(UInt8(ascii: "?")) - 32] }
    return glyphs[Int(code) - 32]
  }
}
