/// A number measured on a document, which a rule compares with its threshold.
enum FilterMeasure: Sendable, Equatable {
  case isEmpty, words, characters, lines
  case blockedPhrases, blockedURL, languageScore
  case meanWordLength, hashRatio, ellipsisRatio, bulletLines, ellipsisLines, alphabeticWords, stopWords
  case duplicateParagraphs, duplicateParagraphCharacters, duplicateLines, duplicateLineCharacters
  case topNGram(Int), duplicateNGrams(Int)
  case longLines
  case loremIpsum, curlyBrackets, sentences
  case terminalLines, shortLines, duplicateCharactersOfLines, newlineRatio
}
