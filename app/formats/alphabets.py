# ruff: noqa: E501 (tables)
"""What languages write beyond ASCII, the most frequent first, and the little words that give each away.

Frequencies are rough on purpose: telling “très” from “trčs” takes the order of a few letters, not a corpus.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The characters of a language's prose that are not ASCII."""

    letters: str
    """By frequency, lower case."""
    words: str = ""
    """Frequent ones, in ASCII."""
    rest: tuple[tuple[str, str], ...] = ()
    """(first, last) of further ranges that it writes with, all equally rare."""
    prior: float = 0.0
    """Natural logarithm: how much rarer such files are than those of the large languages."""
    typography: str = "’“”–—…‘«»„°€£§·©®™‚\u00a0"
    """Punctuation and signs."""
    signs: float = 0.06
    """The share of these."""


_HAN = (("\u4e00", "\u9fff"), ("\u3400", "\u4dbf"))
_WIDE = "，。！？、：；“”（）《》…—～‘’【】「」『』·％＋－／０１２３４５６７８９＃＠ＡＢ　"
_SIMPLIFIED = (
    "的是了不一我有在人这个很好来上大他们到说时和地要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种"
    "事成方多经么去法学如都同现当没动面起看定天分还进小部其些主样理心本前开但因只从想实日军者意无力它与长把机十民"
    "第公此已工使情明性知全三又关点正业外将两高间由问最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯"
    "月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打"
    "女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司"
    "五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师"
    "观清今切院让识候带导争运吃味菜店送餐喝汤服务慢快差味房间酒店价格质量便宜贵买东西客服物流包装推荐喜欢非常态度环境"
    "餐馆周到床干净早晚住位置早餐满意失望退款屏幕手机电池音效果评价错坏谢饭肉辣咸淡热冷凉鲜汁米面量足送达超级骑士外卖"
)
_TRADITIONAL = (
    "的是了不一我有在人這個很好來上大他們到說時和地要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種"
    "事成方多經麼去法學如都同現當沒動面起看定天分還進小部其些主樣理心本前開但因只從想實日軍者意無力它與長把機十民"
    "第公此已工使情明性知全三又關點正業外將兩高間由問最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯"
    "月話合回特代內信表化老給世位次度門任常先海通教兒原東聲提立及比員解水名真論處走義各入幾口認條平系氣題活爾更別打"
    "女變四神總何電數安少報才結反受目太量再感建務做接必場件計管期市直德資命山金指克許統區保至隊形社便空決治展馬科司"
    "五基眼書非則聽白卻界達光放強即像難且權思王象完設式色路記南品住告類求據程北邊死張該交規萬取拉格望覺術領共確傳師"
    "觀清今切院讓識候帶導爭運吃味菜店送餐喝湯服務慢快差味房間飯店價格質量便宜貴買客服物流包裝推薦喜歡非常態度環境館"
    "床乾淨早晚住位置滿意失望退款螢幕手機電池音效果評價錯壞謝飯肉辣鹹淡熱冷涼鮮米麵足超級吧嗎呢啊哦"
)
_KANA = (
    "のいにたしなてとはるをがでかすっれもらまこんりあさくうよきだつせそえけどおばちみめ、。ーンスルトイアラクリシドレ"
    "ジタフロカッマコプグテメサムパバデニナウキブズエビチセォケソヤャュョェィァわろやひほねべふむげぬずじぶびぐごぎざぞづ"
    "ぜへぼゆゃゅょぁぃぇぉぱぴぷぺぽモミヨワヒヘホネノハオガギゴザゼゾダヅベボポペピュ"
)
_KANJI = (
    "日一人大年会国本中長出三同時分行事生自社気者月方新場部前東高間後見学言思手来上下今何私入小話名食店味美料理屋員電"
    "車駅朝夜昼晩部屋対応待悪良好古高安値段品質商届早遅使便利最残念嬉楽広狭静親切丁寧温泉景色子供友達家族行列買物服"
    "体心目口金土水火木書読聞飲休先週末度目的当然全然少多様色感動画映画作品主題"
)
_HANGUL = (
    "이다는을가에고의하지도은니서한를로어기사아들나시리자습해게인대정있스그요일만수보라면부없여으과거안주전것했좋방장"
    "원우너제오구상성였음비동무소내화연지치문신선생각마물트바세때말위간등까적모경국매식야와개던호텔객실직원친절깨끗"
    "조용맛청결불편추천위치가격최고별로정말너무아주많이다시올갈것같아요네죠데든려면서터았었겠렸졌됐돼느껴배송빨늦"
    "제품포장만족실망환교재구입품질후회영화재미연기감독스토리장면집중노래음악책읽쓰써공싸비용료택달받드린립엄청완전"
    "행복감사합군런럼란류본론력님남녀학교운반발표현업번명분밤낮침점체처천추출충크키타태토통특파판포표프피학함항행향현"
    "혼홍확활황회효휴흥희히"
)
_RUSSIAN = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"
_EUROPE = "éèàçêüöäóáíñôâîûïëãõúßåøæœ"

ALPHABETS: dict[str, Alphabet] = {
    "en": Alphabet(
        "éèïöüñçâêôàáíóëåøœæ", "the and to of a in is it that for was with you this on not have but are be",
        signs=0.5, typography="’“”–—…‘£€°©®™§·\u00a0½¢",
    ),
    "fr": Alphabet(
        "éèàêçâîôûùëïüœæ",
        "le la les et est des une un du pas pour dans je nous mais que qui en ne sur avec son au ce plus il elle tout très été était à où même",
        typography="’«»\u00a0“”–—…‘°€",
    ),
    "de": Alphabet(
        "üäößéà", "der die das und ist nicht war ein eine mit ich wir es zu auf sehr den dem von im auch aber sich so für über schön größer können"
    ),
    "es": Alphabet(
        "óáíéñúü¿¡ºª", "el la los las y que en un una por con muy no de es del se lo para su fue pero todo al como está más también qué aquí"
    ),
    "pt": Alphabet(
        "ãçáéõíêóâúàôüºª", "o a os as e que um uma com muito para do da em foi mas se por no na dos ao de bom nos não é está também já são muito até"
    ),
    "it": Alphabet("èàùòìéîº", "il la le e di che non un una per con sono molto del della ma era gli lo si da in ci è più perché però"),
    "nl": Alphabet("ëéïèüöó", "de het een en van is niet dat op te met voor was zijn we er ook maar ik in", prior=-1),
    "ca": Alphabet("óàèéíçúòïü·", "el la els les i que en un una per amb molt no de del és va", prior=-2),
    "sv": Alphabet("äåöéà", "och att det som en ett var inte med vi jag av den till är för på så", prior=-1),
    "da": Alphabet("øåæéöä", "og at det er en et var ikke med vi jeg af den til men som der på så være", prior=-1),
    "fi": Alphabet("äöå", "ja on oli ei se ett mutta kun hyvin olla ovat", prior=-1),
    "is": Alphabet("ðáíöþéóæúý", "og var ekki sem en vi til er ein mj", prior=-3),
    "pl": Alphabet(
        "łąęśżóćńź", "i w nie na jest do to z o ale by bardzo jak tak po od za dla nam tylko już się był była było są że też", typography="„”–—…’«»°\u00a0"
    ),
    "cs": Alphabet("íáěéýčřšžůúťďňó", "a v je se na byl bylo ale s z do pro jsme velmi to i jako není jsem už při", prior=-1),
    "sk": Alphabet("áíýčéšžúľťôňďäĺŕó", "a v je sa na bol bolo ale s z do pre sme to i ako", prior=-2),
    "hu": Alphabet("áéöőóüíűú", "a az egy nem volt de nagyon hogy meg van is ez mint és már még több", prior=-1),
    "ro": Alphabet("ăîâşţșțã", "o de la nu a fost cu pe din un foarte dar este am pentru sau mai", prior=-1),
    "hr": Alphabet("čšžćđ", "i je u na se da nije su za od ali smo vrlo sa bio", prior=-1),
    "sl": Alphabet("čšžćđ", "in je v na se da ni so za od ali smo zelo s bil", prior=-2),
    "tr": Alphabet(
        "ıüşçöğâî", "ve bir bu da de ama daha iyi en gibi kadar olarak var yok ben biz ne her ki ile çok için değil güzel", typography="’“”–…‘\u00a0"
    ),
    "lt": Alphabet("ėšžįųąčęū", "ir yra labai kad buvo ne bet su tai kaip", prior=-2),
    "lv": Alphabet("āīēšūžņļķģč", "un ir bija ar bet ka par no es viss", prior=-2),
    "et": Alphabet("äõüöšž", "ja on oli ei see ka aga mis kui", prior=-2),
    "vi": Alphabet(
        "đàáảãạăâêôơưèéẻẽẹìíỉĩịòóỏõọùúủũụỳýỷỹỵ\u0300\u0301\u0303\u0309\u0323", "", prior=-3
    ),
    "ru": Alphabet(
        _RUSSIAN, "не на что по как это но очень все так из за от мы он мне был было для нет да уже только бы же или хорошо плохо",
        typography="«»—–…“”„№’\u00a0"),
    "uk": Alphabet("оанивірестлкудмпябгзьчйхцжїєшюфщґёэъы", "не на що як це але дуже все та із за від ми він для є був було", prior=-1, typography="«»—–…“”’„№\u00a0"),
    "bg": Alphabet("аиоетнрсвлкдпмзгъуябчщцжшйхюфь", "не на да се от за по но много това съм са беше със много", prior=-1, typography="„“«»—–…№\u00a0"),
    "sr": Alphabet("аоиенрсјтуквдлпмзгбшчцжљхњћђфџ", prior=-2, typography="„“”–…\u00a0"),
    "el": Alphabet("αοιετσνηυρπκμλςίόάδέήγύώωθχφβξζψϊϋΐΰ", prior=-0.5, typography="«»–—…“”’·\u00a0"),
    "he": Alphabet("יוהלאתרבשמנדחקפעכםגטסןזצךףץ", prior=-0.5, typography="“”–—…’₪״׳\u00a0"),
    "ar": Alphabet("اليمونتربةعدسفهحكقأجشصطىخإذضزثئغءآؤظ", prior=-0.5, typography="،؟؛“”–…«»\u00a0ـ\u064b\u064e"),
    "fa": Alphabet("ایرندوهبمتسشکخزعگلفقجحپطچصضذثغظآءئژ", prior=-1.5, typography="،؟؛“”–…«»\u00a0\u200c"),
    "th": Alphabet("านรอก่เยงลมว้สดตทบปะคัีหไิแชพื์ใจขโ็ุูผึซศำถภธณฟญษฉๆ๊๋", prior=-0.5, typography="“”–…ฯ\u00a0"),
    "zh": Alphabet(_SIMPLIFIED, rest=_HAN, typography=_WIDE),
    "zh-hant": Alphabet(_TRADITIONAL, rest=_HAN, typography=_WIDE),
    "ja": Alphabet(
        _KANA + _KANJI, rest=(*_HAN, ("\u3041", "\u30ff")), typography="、。！？「」ー（）・…『』～　％０１２３４５６７８９々〇"
    ),
    "ko": Alphabet(_HANGUL, rest=(("\uac00", "\ud7a3"), ("\u3131", "\u318e")), typography="‘’“”…·ㅋㅎㅠ～「」《》ㆍ"),
    "europe": Alphabet(_EUROPE, prior=-2),
}  # fmt: skip

ENCODINGS: dict[str, tuple[str, ...]] = {
    "cp1252": ("en", "fr", "de", "es", "pt", "it", "nl", "ca", "sv", "da", "fi", "is", "europe"),
    "cp1250": ("pl", "cs", "sk", "hu", "ro", "hr", "sl"),
    "iso8859-2": ("pl", "cs", "sk", "hu", "ro", "hr", "sl"),
    "cp1254": ("tr",),
    "cp1257": ("lt", "lv", "et"),
    "cp1258": ("vi",),
    "cp1251": ("ru", "uk", "bg", "sr"),
    "koi8-r": ("ru",),
    "koi8-u": ("uk",),
    "cp866": ("ru",),
    "iso8859-5": ("ru", "bg", "sr"),
    "mac-cyrillic": ("ru",),
    "cp1253": ("el",),
    "cp1255": ("he",),
    "cp1256": ("ar", "fa"),
    "iso8859-6": ("ar",),
    "cp874": ("th",),
    "gb18030": ("zh", "zh-hant"),
    "big5hkscs": ("zh-hant",),
    "cp932": ("ja",),
    "euc_jp": ("ja",),
    "cp949": ("ko",),
    "mac-roman": ("en", "fr", "de", "es", "pt", "it", "sv", "da"),
    "cp850": ("en", "fr", "de", "es", "pt", "it", "sv", "da"),
    "cp852": ("pl", "cs", "hu"),
    "cp857": ("tr",),
    "utf-16-le": tuple(ALPHABETS),
    "utf-16-be": tuple(ALPHABETS),
}  # fmt: skip
"""Encodings that files are in, each with the languages that were written in it; of two that say the same, the
first is meant."""

ENCODING_PRIORS = {
    "iso8859-2": -1.0,
    "iso8859-6": -1.0,
    "koi8-r": -1.5,
    **dict.fromkeys(
        ("koi8-u", "cp866", "iso8859-5", "mac-cyrillic", "mac-roman", "cp850", "cp852", "cp857", "cp1258"), -4.0
    ),
}  # fmt: skip
"""Natural logarithm: how much rarer than the others; most are those of old systems."""
