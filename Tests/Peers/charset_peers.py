"""Detection of character sets by pkm-data, charset-normalizer and chardet on the same damaged texts: how many are read right.

    python3 Tests/Peers/charset_peers.py [--pkm-data PATH] [--cases N] [--record]

Texts in ten scripts are encoded in the sets that are usual for them, cut anywhere (also inside of a character) and
changed at 0, 0.1 and 1 % of their bytes. A case counts as right if at least 97 % of the characters outside ASCII
come out (90 % with 1 % of noise), whatever the set is called: what counts is the text. pkm-data gets the bytes on standard input
(`normalize --encoding auto --form none`); charset-normalizer (`from_bytes(…).best()`) and chardet (`detect`) name a
set, and Python decodes the bytes in it, or in the set that the Encoding Standard reads that name as.
"""

import argparse
import random
import subprocess
from collections import Counter

import figures

# Sentences of our own, several per script.
TEXTS = {
    "French": "Hier soir, la fenêtre était ouverte et l'été s'en allait déjà. Où êtes-vous passés ? Ça n'a pas l'air d'être très loin, "
    "répondit-elle en français, là-bas, près de la forêt où l'âne brûle ses chardons à côté du château. ",
    "Polish": "Wczoraj wieczorem okno było otwarte, a lato już się kończyło. Gdzie jesteście? Chyba niedaleko, odpowiedziała cicho, "
    "tam, koło lasu, gdzie żółte liście spadają na ścieżkę, a gęsi śpią nad źródłem. Łąka pachniała świeżością. ",
    "Turkish": "Dün akşam pencere açıktı ve yaz artık bitiyordu. Neredesiniz? Çok uzak değil, diye yanıtladı; şurada, ormanın yanında, "
    "sarı yaprakların yağmur gibi düştüğü yolun üstünde. Çocuklar ağaçların gölgesinde gülüşüyordu. ",
    "Russian": "Вчера вечером окно было открыто, и лето уже кончалось. Где вы были? Кажется, недалеко, тихо ответила она, там, у леса, "
    "где жёлтые листья падают на дорожку и гуси спят над ручьём. Дети смеялись в тени деревьев до самой ночи. ",
    "Greek": "Χθες το βράδυ το παράθυρο ήταν ανοιχτό και το καλοκαίρι τελείωνε. Πού ήσασταν; Όχι πολύ μακριά, απάντησε σιγά εκείνη, "
    "εκεί, κοντά στο δάσος, όπου τα κίτρινα φύλλα πέφτουν στο μονοπάτι. Τα παιδιά γελούσαν κάτω από τα δέντρα. ",
    "Hebrew": "אתמול בערב החלון היה פתוח והקיץ כבר נגמר. איפה הייתם? לא רחוק, היא ענתה בשקט, שם, ליד היער, במקום שבו העלים הצהובים "
    "נופלים על השביל. הילדים צחקו בצל העצים עד שירד הלילה והכוכבים הופיעו. ",
    "Arabic": "كانت النافذة مفتوحة مساء أمس وكان الصيف على وشك الانتهاء. أين كنتم؟ ليس بعيدا، أجابت بهدوء، هناك قرب الغابة حيث تسقط "
    "الأوراق الصفراء على الطريق. كان الأطفال يضحكون تحت الأشجار حتى جاء الليل. ",
    "Thai": "เมื่อคืนนี้หน้าต่างเปิดอยู่และฤดูร้อนกำลังจะหมดไป พวกคุณไปไหนมา ไม่ไกลเท่าไร เธอตอบเบา ๆ ตรงนั้นใกล้ป่าที่ใบไม้สีเหลืองร่วงลงบนทางเดิน "
    "เด็ก ๆ หัวเราะกันอยู่ใต้ร่มไม้จนถึงกลางคืน ",
    "Japanese": "昨日の夜、窓は開いていて、夏はもう終わろうとしていた。どこへ行っていたのですか。遠くではありません、と彼女は静かに答えた。"
    "森のそば、黄色い葉が道に落ちるところです。子供たちは夜まで木の下で笑っていた。",
    "Chinese": "昨天晚上窗户开着，夏天快要结束了。你们去哪里了？不太远，她轻声回答，就在森林旁边，黄色的叶子落在小路上的地方。"
    "孩子们在树荫下笑着，一直到夜里，星星都出来了。",
    "Chinese (traditional)": "昨天晚上窗戶開著，夏天快要結束了。你們去哪裡了？不太遠，她輕聲回答，就在森林旁邊，黃色的葉子落在小路上的地方。"
    "孩子們在樹蔭下笑著，一直到夜裡，星星都出來了。",
    "Korean": "어제 저녁에 창문은 열려 있었고 여름은 벌써 끝나 가고 있었다. 어디에 있었습니까? 멀지 않은 곳이라고 그녀는 조용히 대답했다. "
    "숲 옆, 노란 잎이 길 위에 떨어지는 곳에서 아이들은 밤까지 나무 그늘에서 웃었다. ",
    "Hindi": "कल शाम खिड़की खुली थी और गर्मी खत्म होने वाली थी। आप लोग कहाँ थे? बहुत दूर नहीं, उसने धीरे से उत्तर दिया, वहाँ जंगल के पास, "
    "जहाँ पीले पत्ते रास्ते पर गिरते हैं। बच्चे रात तक पेड़ों की छाया में हँसते रहे। ",
}
SETS = {
    "French": ["utf-8", "cp1252", "iso8859-15"], "Polish": ["utf-8", "iso8859-2", "cp1250"], "Turkish": ["utf-8", "cp1254"],
    "Russian": ["utf-8", "cp1251", "koi8-r", "iso8859-5", "cp866", "utf-16-le"], "Greek": ["utf-8", "cp1253", "iso8859-7"],
    "Hebrew": ["utf-8", "cp1255"], "Arabic": ["utf-8", "cp1256", "iso8859-6"], "Thai": ["utf-8", "cp874"],
    "Japanese": ["utf-8", "shift_jis", "euc_jp", "iso2022_jp"], "Chinese": ["utf-8", "gb18030"], "Chinese (traditional)": ["utf-8", "big5"],
    "Korean": ["utf-8", "cp949"], "Hindi": ["utf-8"],
}
WIDER = {
    "ascii": "cp1252", "iso-8859-1": "cp1252", "latin_1": "cp1252", "iso-8859-9": "cp1254", "gb2312": "gb18030", "gbk": "gb18030",
    "euc-kr": "cp949", "euc_kr": "cp949", "shift_jis": "cp932", "tis-620": "cp874", "iso-8859-11": "cp874", "macroman": "mac_roman",
}
NOISE = [0, 0.001, 0.01]


def cases(count):
    """`count` cases per script, set and noise: the script, the set, the noise, the bytes and their text."""
    maker = random.Random(7)
    for script, sets in SETS.items():
        for name in sets:
            whole = (TEXTS[script] * 24).encode(name, "replace")
            for noise in NOISE:
                for _ in range(count):
                    step = 2 if name.startswith("utf-16") else 1
                    length = maker.randrange(300, 2500) // step * step
                    start = maker.randrange(0, len(whole) - length) // step * step if name != "iso2022_jp" else 0
                    clean = whole[start : start + length]
                    damaged = bytearray(clean)
                    # At most one change for the first, so that short texts have some.
                    for _ in range(max(1, round(noise * length)) if noise else 0):
                        damaged[maker.randrange(0, length)] = maker.randrange(0x80, 0x100)
                    yield script, name, noise, bytes(damaged), clean.decode(name, "replace")


def is_right(found, text, noise):
    """Whether most characters outside ASCII came out, and not many more characters than there should be."""
    found, text = (Counter("".join(part.split())) for part in (found, text))
    wanted = {character: count for character, count in text.items() if character > "\x7f"}
    kept = sum(min(count, found[character]) for character, count in wanted.items())
    share = 0.9 if noise > 0.001 else 0.97
    return kept >= share * sum(wanted.values()) and found.total() <= 1.1 * text.total()


def ours(tool):
    def read(data):
        command = [tool, "normalize", "--encoding", "auto", "--form", "none", "--documents", "file", "--quiet"]
        command += ["--input-format", "text"]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout.decode()

    return read


def by_name(detect):
    def read(data):
        name = (detect(data) or "ascii").lower()
        try:
            return data.decode(WIDER.get(name, name), "replace")
        except LookupError:
            return ""

    return read


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pkm-data", default=".build/release/pkm-data")
    parser.add_argument("--cases", type=int, default=4, help="per script, set and share of noise")
    figures.add_option(parser)
    options = parser.parse_args()

    import chardet
    import charset_normalizer

    readers = {
        "pkm-data": ours(options.pkm_data),
        "charset-normalizer": by_name(lambda data: getattr(charset_normalizer.from_bytes(data).best(), "encoding", None)),
        "chardet": by_name(lambda data: chardet.detect(data)["encoding"]),
    }
    every = list(cases(options.cases))
    right = {reader: {} for reader in readers}
    for script, name, noise, data, text in every:
        group = "UTF-8" if name == "utf-8" else "other sets"
        for reader, read in readers.items():
            verdict = is_right(read(data), text, noise)
            if not verdict and reader == "pkm-data":
                print(f"wrong: {script} in {name}, {len(data)} bytes, noise {noise:.1%}")
            for key in [(group, noise), (script, None), ("all", None)]:
                entry = right[reader].setdefault(key, [0, 0])
                entry[0] += verdict
                entry[1] += 1
    rows = []
    for key in right["pkm-data"]:
        label = key[0] if key[1] is None else f"{key[0]}, noise {key[1]:.1%}"
        rows.append([f"{label} ({right['pkm-data'][key][1]})"] + [f"{100 * right[r][key][0] / right[r][key][1]:.1f} %" for r in readers])
    rows.sort(key=lambda row: (not row[0].startswith("UTF-8"), not row[0].startswith("other"), row[0].startswith("all")))
    header = ["texts read right (cases)"] + list(readers)
    for row in [header] + rows:
        print(" | ".join(row))
    if options.record:
        everywhere = {reader: right[reader][("all", None)] for reader in readers}
        figures.record(
            "charset", header, rows, title=f"Detection of character sets, {len(every)} damaged texts",
            values={reader.replace("-", "_"): f"{100 * good / all:.1f}" for reader, (good, all) in everywhere.items()},
            packages=["charset-normalizer", "chardet"])


if __name__ == "__main__":
    main()
