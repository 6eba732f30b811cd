"""The names that people give to columns: the one list, for header rows of tables and for keys of JSON rows."""

from collections.abc import Iterable
from functools import lru_cache

NAMES: dict[str, tuple[str, ...]] = {
    "text": (
        "text", "sentence", "content", "review", "text_a", "tweet", "body", "comment", "document",
        "文本", "评论", "句子",
        "utterance", "message", "post", "review_text", "reviewtext", "comment_text", "tweet_text", "full_text",
        "raw_text", "original_text", "originaltext", "review_body", "message_body",
        "文本内容", "评论内容", "正文", "内容", "语句", "原文", "评价内容", "评价", "文字", "微博", "弹幕", "留言",
        "文本內容", "評論", "評論內容", "內容", "評價", "語句",
    ),
    "label": (
        "label", "labels", "annotation", "spans", "entities", "predicates", "sentiment", "class", "category",
        "polarity", "airline_sentiment", "target", "tag", "标签", "情感",
        "cats", "entity_list", "ents", "named_entities",
        "intent", "emotion", "stance", "sentiment_label", "label_text", "label_name", "gold_label", "gold",
        "类别", "分类", "情感标签", "情感倾向", "情感极性", "情绪", "极性", "意图", "类型", "标注",
        "標籤", "類別", "分類", "情緒", "標註",
    ),
    "external_id": (
        "external_id", "guid", "uid", "id", "sent_id", "tweet_id", "idx", "编号", "序号", "編號", "序號",
    ),
    "tokens": ("tokens", "words"),
    "split": ("split", "数据集划分", "划分"),
    "meta": ("meta", "metadata"),
}  # fmt: skip
"""What a column holds, and what it is called then: the most telling name first, in lower case."""

_OTHERS = (
    "index", "no", "number", "name", "user", "username", "author", "date", "time", "timestamp", "created_at", "lang",
    "language", "url", "source", "title", "topic", "subject", "question", "answer", "query", "sentence1", "sentence2",
    "text_b", "score", "rating", "ratings", "stars", "star", "votes", "likes", "confidence", "annotator", "domain",
    "product", "cat", "genre", "headline", "set", "subset", "partition", "fold", "is_test", "is_train",
    "名称", "用户", "用户名", "作者", "日期", "时间", "来源", "链接", "标题", "主题", "问题", "答案", "评分", "星级",
    "得分", "分数", "点赞数", "语言", "领域", "备注", "店铺", "商品", "名稱", "使用者", "時間", "來源", "標題", "評分",
)  # fmt: skip
"""Names of columns that are none of these: they tell a header, and nothing more."""

_LONGEST = 60
_KNOWN = frozenset(_OTHERS).union(*NAMES.values())


def fold(name: str) -> str:
    """The name as the lists have it: “Review Text” is “review_text”."""
    return name if len(name) > _LONGEST else _fold(name)


@lru_cache(maxsize=4096)  # JSON says the same names again in each row
def _fold(name: str) -> str:
    return "_".join(name.lower().replace("-", " ").split())


def find(role: str, names: Iterable[str]) -> str | None:
    """The column that is called what such columns are called; None if there is none."""
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(fold(name), name)
    return next((folded[name] for name in NAMES[role] if name in folded), None)


def is_known(name: str) -> bool:
    """Whether columns are called so."""
    return fold(name) in _KNOWN
