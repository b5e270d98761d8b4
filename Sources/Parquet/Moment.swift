/// Dates and times as ISO 8601 writes them.
enum Moment {
  private static let secondsPerDay = 86_400

  /// A count of units since 1970, with all digits of the unit's fraction.
  static func append(timestamp count: Int64, _ unit: LogicalType.Unit, isUTC: Bool, to out: inout [UInt8]) {
    let (seconds, fraction) = split(count, unit)
    append(day: floorDivide(seconds, secondsPerDay), to: &out)
    out.append(UInt8(ascii: "T"))
    append(second: seconds - floorDivide(seconds, secondsPerDay) * secondsPerDay, to: &out)
    append(fraction, digits: unit.digits, to: &out)
    if isUTC { out.append(UInt8(ascii: "Z")) }
  }

  /// A count of units since midnight.
  static func append(time count: Int64, _ unit: LogicalType.Unit, to out: inout [UInt8]) {
    let (seconds, fraction) = split(count, unit)
    append(second: seconds, to: &out)
    append(fraction, digits: unit.digits, to: &out)
  }

  /// The older form of 96 bits: nanoseconds of the day, then the day of the Julian calendar.
  static func append(int96 bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
    let nanoseconds = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    let julian = Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: Int32.self))
    let seconds = Int(nanoseconds / 1_000_000_000)
    append(day: Int(julian) - 2_440_588 + seconds / secondsPerDay, to: &out)
    out.append(UInt8(ascii: "T"))
    append(second: seconds % secondsPerDay, to: &out)
    append(Int(nanoseconds % 1_000_000_000), digits: 9, to: &out)
  }

  /// A count of days since 1970. Years of more than four digits have a sign.
  static func append(day: Int, to out: inout [UInt8]) {
    // Days since the first of March of year 0, in eras of 400 years.
    let shifted = day + 719_468
    let era = floorDivide(shifted, 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    if year < 0 || year > 9999 { out.append(year < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")) }
    appendDigits(abs(year), 4, to: &out)
    out.append(UInt8(ascii: "-"))
    appendDigits(month, 2, to: &out)
    out.append(UInt8(ascii: "-"))
    appendDigits(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1, 2, to: &out)
  }

  private static func split(_ count: Int64, _ unit: LogicalType.Unit) -> (seconds: Int, fraction: Int) {
    let perSecond = [3: 1_000, 6: 1_000_000, 9: 1_000_000_000][unit.digits]!
    let seconds = floorDivide(Int(count), perSecond)
    return (seconds, Int(count) &- seconds &* perSecond)
  }

  private static func append(second: Int, to out: inout [UInt8]) {
    if second < 0 { out.append(UInt8(ascii: "-")) }
    let second = abs(second)
    appendDigits(second / 3600, 2, to: &out)
    out.append(UInt8(ascii: ":"))
    appendDigits(second / 60 % 60, 2, to: &out)
    out.append(UInt8(ascii: ":"))
    appendDigits(second % 60, 2, to: &out)
  }

  private static func append(_ fraction: Int, digits: Int, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "."))
    appendDigits(fraction, digits, to: &out)
  }

  private static func appendDigits(_ number: Int, _ count: Int, to out: inout [UInt8]) {
    let digits = String(number).utf8
    for _ in 0..<max(0, count - digits.count) { out.append(UInt8(ascii: "0")) }
    out.append(contentsOf: digits)
  }

  private static func floorDivide(_ number: Int, _ divisor: Int) -> Int {
    let quotient = number / divisor
    return number % divisor < 0 ? quotient - 1 : quotient
  }
}
