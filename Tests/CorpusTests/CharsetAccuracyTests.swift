import Foundation
import Support
import TestSupport
import Testing

@testable import Corpus

/// How often the character set of a text is detected, on texts that nothing was tuned on.
@Suite(.long, .timeLimit(.minutes(60))) struct CharsetAccuracyTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Sentences of our own about a market and a railway station, with the character sets that are usual for them.
  private static let texts: [(script: String, sets: [String], text: String)] = [
    (
      "Latin", ["utf-8", "windows-1252"],
      """
      Le boulanger pèse la farine à cinq heures, puis règle le four. « Où sont passés les gâteaux ? », s'étonne un élève pressé.
      Der Bäcker öffnet früh; später hört man Züge über die Brücke fahren. Größere Körbe trägt niemand gern, schon gar nicht Jürgen.
      El señor Muñoz llegó a la estación con su niña; el próximo tren saldrá mañana por la mañana, según el cartel más pequeño.
      """
    ),
    (
      "Cyrillic", ["utf-8", "windows-1251", "koi8-r", "iso-8859-5", "ibm866", "utf-16le"],
      """
      На рынке с утра шумно: пекарь взвешивает муку, а его сын раскладывает горячий хлеб по корзинам.
      Поезд пришёл на станцию с опозданием, и пассажиры долго искали свои места. Билет стоит двенадцать рублей.
      Бабушка купила яблоки, мёд и немного сыра, потом села у окна и стала читать старую газету.
      """
    ),
    (
      "Greek", ["utf-8", "windows-1253", "iso-8859-7"],
      """
      Ο φούρναρης ζυγίζει το αλεύρι στις πέντε το πρωί και ο γιος του βάζει το ζεστό ψωμί στα καλάθια.
      Το τρένο έφτασε στον σταθμό με καθυστέρηση και οι επιβάτες έψαχναν πολλή ώρα τις θέσεις τους.
      Η γιαγιά αγόρασε μήλα, μέλι και λίγο τυρί, κάθισε δίπλα στο παράθυρο και διάβασε μια παλιά εφημερίδα.
      """
    ),
    (
      "Hebrew", ["utf-8", "windows-1255"],
      """
      האופה שוקל את הקמח בחמש בבוקר, והבן שלו מסדר את הלחם החם בסלים.
      הרכבת הגיעה לתחנה באיחור, והנוסעים חיפשו זמן רב את המקומות שלהם.
      סבתא קנתה תפוחים, דבש ומעט גבינה, ישבה ליד החלון וקראה עיתון ישן.
      """
    ),
    (
      "Arabic", ["utf-8", "windows-1256"],
      """
      يزن الخباز الطحين في الساعة الخامسة صباحا، ويضع ابنه الخبز الساخن في السلال.
      وصل القطار إلى المحطة متأخرا، وبحث الركاب طويلا عن مقاعدهم في العربات المزدحمة.
      اشترت الجدة التفاح والعسل وقليلا من الجبن، ثم جلست قرب النافذة تقرأ جريدة قديمة.
      """
    ),
    (
      "Thai", ["utf-8", "windows-874"],
      """
      คนทำขนมปังชั่งแป้งตอนตีห้า แล้วลูกชายของเขาก็จัดขนมปังร้อน ๆ ลงในตะกร้า
      รถไฟมาถึงสถานีช้ากว่ากำหนด ผู้โดยสารจึงต้องหาที่นั่งของตนอยู่นาน
      คุณยายซื้อแอปเปิล น้ำผึ้ง และเนยแข็งเล็กน้อย แล้วนั่งอ่านหนังสือพิมพ์เก่าข้างหน้าต่าง
      """
    ),
    (
      "Japanese", ["utf-8", "shift_jis", "euc-jp"],
      """
      パン屋は朝の五時に小麦粉を量り、息子は焼きたてのパンをかごに並べます。
      電車は遅れて駅に着いたので、乗客たちは長い間自分の席を探していました。
      おばあさんはりんごと蜂蜜とチーズを少し買って、窓のそばに座り、古い新聞を読みました。
      """
    ),
    (
      "Chinese, simplified", ["utf-8", "gb18030"],
      """
      面包师早上五点称面粉，他的儿子把热面包放进篮子里。
      火车晚点到站，乘客们找了很长时间自己的座位，车票十二块钱。
      奶奶买了苹果、蜂蜜和一点奶酪，然后坐在窗边看一张旧报纸。
      """
    ),
    (
      "Chinese, traditional", ["utf-8", "big5"],
      """
      麵包師早上五點秤麵粉，他的兒子把熱麵包放進籃子裡。
      火車晚點到站，乘客們找了很長時間自己的座位，車票十二塊錢。
      奶奶買了蘋果、蜂蜜和一點乳酪，然後坐在窗邊看一張舊報紙。
      """
    ),
    (
      "Korean", ["utf-8", "euc-kr"],
      """
      빵집 주인은 아침 다섯 시에 밀가루를 재고, 아들은 따뜻한 빵을 바구니에 담는다.
      기차가 역에 늦게 도착해서 승객들은 오랫동안 자기 자리를 찾았다.
      할머니는 사과와 꿀과 치즈를 조금 사고, 창가에 앉아 오래된 신문을 읽었다.
      """
    ),
    (
      "Devanagari", ["utf-8", "utf-16be"],
      """
      रोटी बनाने वाला सुबह पाँच बजे आटा तौलता है, और उसका बेटा गरम रोटियाँ टोकरी में रखता है।
      रेलगाड़ी देर से स्टेशन पहुँची, इसलिए यात्री बहुत देर तक अपनी सीटें ढूँढते रहे।
      """
    ),
  ]

  /// The bytes of a text in a character set, by the inverse of its decoding.
  private static func encode(_ text: String, _ charset: Charset) -> [UInt8] {
    if charset == .utf8 { return Array(text.utf8) }
    if charset.name.hasPrefix("utf-16") {
      return text.utf16.flatMap {
        charset.name == "utf-16le" ? [UInt8($0 & 0xff), UInt8($0 >> 8)] : [UInt8($0 >> 8), UInt8($0 & 0xff)]
      }
    }
    var codes: [Unicode.Scalar: [UInt8]] = [:]
    func add(_ bytes: [UInt8]) {
      guard let decoded = try? bytes.withUnsafeBytes({ try charset.decode($0) }), !decoded.contains(0xff)
      else { return }
      let scalars = Array(String(decoding: decoded, as: UTF8.self).unicodeScalars)
      if scalars.count == 1, codes[scalars[0]] == nil { codes[scalars[0]] = bytes }
    }
    for byte in UInt8.min...UInt8.max { add([byte]) }
    if charset.isMultibyte {
      for first in UInt8(0x81)...0xfe { for second in UInt8(0x40)...0xfe { add([first, second]) } }
    }
    return text.unicodeScalars.flatMap { codes[$0] ?? [UInt8(ascii: "?")] }
  }

  /// The share of the characters outside ASCII that two texts have in common.
  private static func overlap(_ one: String, _ other: String) -> Double {
    var counts: [Unicode.Scalar: Int] = [:]
    var (all, common) = (0, 0)
    for scalar in one.unicodeScalars where !scalar.isASCII && scalar != "\u{fffd}" {
      counts[scalar, default: 0] += 1
      all += 1
    }
    for scalar in other.unicodeScalars where counts[scalar, default: 0] > 0 {
      counts[scalar]! -= 1
      common += 1
    }
    return all == 0 ? 1 : Double(common) / Double(all)
  }

  /// Whole, cut anywhere (also inside of a character), and with a byte or two changed; each must come out as what it says
  /// in its own set.
  @Test func mostTextsAreReadRight() throws {
    var random = RandomGenerator(seed: 4)
    var (right, all): ([String: Int], [String: Int]) = ([:], [:])
    var wrong: [String] = []
    for (script, sets, text) in Self.texts {
      for name in sets {
        let charset = try #require(Charset(name))
        let whole = Self.encode(text, charset)
        #expect(
          Self.overlap(
            text, String(decoding: try whole.withUnsafeBytes { try charset.decode($0) }, as: UTF8.self))
            > 0.97, "\(name)")
        for variant in 0..<24 {
          var bytes = whole
          var kind = "whole"
          if variant > 0 {
            let unit = name.hasPrefix("utf-16") ? 2 : 1
            let length = min(whole.count, 120 + random.below(280)) / unit * unit
            let start = random.below(whole.count - length + 1) / unit * unit
            bytes = Array(whole[start..<(start + length)])
            kind = "cut"
          }
          if variant >= 12 {
            for _ in 0...random.below(2) { bytes[random.below(bytes.count)] = UInt8(128 + random.below(128)) }
            kind = "damaged"
          }
          let expected =
            charset == .utf8
            ? String(decoding: bytes, as: UTF8.self)
            : String(decoding: try bytes.withUnsafeBytes { try charset.decode($0) }, as: UTF8.self)
          let path = try scratch.write("a.txt", bytes)
          let found = try ReadDocuments([path], ReaderOptions(splitting: .file, encoding: .automatic))
          all[kind, default: 0] += 1
          if Self.overlap(expected, found.texts.joined()) >= 0.97 {
            right[kind, default: 0] += 1
          } else {
            wrong.append("\(script) in \(name), \(kind), \(bytes.count) bytes")
          }
        }
      }
    }
    let shares = all.mapValues { Double($0) }.map { ($0, Double(right[$0] ?? 0) / $1) }.sorted { $0.0 < $1.0 }
    for (kind, share) in shares {
      #expect(share >= (kind == "damaged" ? 0.99 : 1), "\(kind): \(wrong)")
    }
  }
}
