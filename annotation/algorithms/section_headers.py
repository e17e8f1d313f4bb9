"""Recognise the headers that divide a clinical note: "HPI:", "ASSESSMENT AND PLAN", "## Labs", "主诉：".

A title is recognised by its words and not by a list of whole titles, so that "Past Medical and Surgical
History" and "Labs and Imaging" need no entry each. A header is no unit to label, so a line that merely looks
like one ("NO ACUTE DISTRESS") stays text: a lost finding costs more than an unnamed section.
"""

# ruff: noqa: SIM905 (word lists read better as text)

import re
from functools import lru_cache

LONGEST_TITLE = 64

# A title has one of these last, or before a joining word: "Review of Systems", "Condition on Discharge".
_TITLE_HEADS = frozenset(
    "a&p a/p abstract ap allergies allergy assessment assessments background cc comparison complaint "
    "complaints conclusion conclusions condition consultation consultations counseling course data ddx "
    "diagnoses diagnosis discussion disposition dx exam examination fh fhx findings follow-up followup up "
    "history histories hpi hx illness imaging immunizations impression impressions indication indications "
    "instructions interventions introduction investigations labs laboratory laboratories medication "
    "medications meds methods narrative objective objectives operation pe plan plans pmh pmhx problems "
    "procedure procedures psh pshx purpose radiology reason recommendation recommendations results ros sh "
    "shx signs studies subjective summary surgeries systems technique treatment vitals workup".split()
)
_TITLE_MODIFIERS = frozenset(
    "additional admission admit admitting allergic birth blood brief cardiac care chief clinical consult "
    "ct current daily dental department developmental diagnostic differential discharge drug echo ecg ed "
    "ekg emergency er family final follow general gynecologic gynecological home hospital icu initial "
    "inpatient interim interval lab list main medical mental microbiology mri neuro neurologic "
    "neurological nursing ob obstetric obstetrical occupational op operative other outpatient past "
    "pathology patient pertinent physical physician post post-op postoperative pre pre-op preoperative "
    "present presenting primary principal problem provider psych psychiatric radiographic radiologic "
    "relevant reproductive review secondary sexual significant social status substance surgical test "
    "therapeutic transfer travel visit vital working x-ray".split()
)
_TITLE_JOINTS = frozenset("and or of on for at in the to with & / upon since during".split())
_NEEDS_COLON = frozenset(
    "pe sh cc fh dx ap hx ddx reason up data problems treatment operation condition".split()
)
_CHINESE_TITLES = frozenset(
    "主诉 现病史 既往史 既往病史 个人史 婚育史 婚姻史 月经史 生育史 家族史 过敏史 药物过敏史 病史 "
    "体格检查 查体 专科检查 辅助检查 实验室检查 影像学检查 检查 检查结果 检查所见 初步诊断 入院诊断 "
    "出院诊断 诊断 临床诊断 鉴别诊断 诊断依据 诊疗经过 诊疗计划 治疗经过 治疗计划 治疗方案 治疗 处理 处置 "
    "入院情况 出院情况 出院医嘱 医嘱 病程记录 手术经过 手术记录 用药 用药史 当前用药 随访 建议 印象 "
    "生命体征 评估 评估与计划 计划 主观资料 客观资料".split()
)
# Their line ends after the colon in forms, yet they name a measurement and not a section.
_MEASUREMENTS = frozenset(
    "bp hr rr t p r temp temperature pulse spo2 sao2 o2 sat sats wt weight ht height bmi pain na k cl hgb "
    "hct wbc plt bun cr gcs".split()
)

_INLINE_TITLE = re.compile(rf"([^\W\d_][\w /&'’(),-]{{0,{LONGEST_TITLE - 1}}}+)[:：]\s*")
_NUMBERING = re.compile(r"(?:\d{1,2}|[IVX]{1,4})[.)、]\s*|[一二三四五六七八九十]{1,3}、")
_MARKED_TITLE = re.compile(
    rf"(?:(?:\*\*|__)([^*_\n]{{1,{LONGEST_TITLE}}}+)(?:\*\*|__)|[【\[]([^】\]\n]{{1,20}}+)[】\]])\s?[:：]?\s*"
)
# One "#" is also how notes number their problems: "# HTN: continue lisinopril" is text.
_HEADING = re.compile(
    rf"(?:#{{2,6}}\s+([^#\n]{{1,{LONGEST_TITLE}}}+)|#\s+([\w /&'’-]{{1,{LONGEST_TITLE}}}+)[:：]?)#*\Z"
)
_WORD = re.compile(r"[\w/&'’-]+")


def line_header(text: str, start: int, end: int, underlined: bool) -> tuple[str | None, int]:
    """The title of the section that begins with this line, if one does, and where its own text begins."""
    first = text[start]
    if first in "#*_【[":
        return _marked_header(text, start, end)
    short = end - start <= LONGEST_TITLE
    if not short and not _has_colon(text, start, start + LONGEST_TITLE + 8):
        return None, start
    numbering = _NUMBERING.match(text, start, end)
    begin = numbering.end() if numbering else start
    match = _INLINE_TITLE.match(text, begin, end)
    if match:
        title = match.group(1).rstrip()
        if _names_section(title) or (match.end() == end and not numbering and _is_title_case(title)):
            return title, match.end()
    if short and match is None and begin < end:
        line = text[begin:end]
        if (underlined and line[-1] not in ".。") or _stands_alone(line):
            return line, end
    return None, start


def inline_header(text: str, at: int, end: int) -> tuple[str, int] | None:
    """The title that begins within a line ("... for 3 days. PMH: none."), and where its text begins."""
    if not _has_colon(text, at, min(end, at + LONGEST_TITLE + 1)):
        return None
    match = _INLINE_TITLE.match(text, at, end)
    if match is None or match.end() == end or text[at].islower():
        return None
    title = match.group(1).rstrip()
    return (title, match.end()) if _names_section(title) else None


def _has_colon(text: str, start: int, end: int) -> bool:
    """Spares most sentences the regular expression."""
    return text.find(":", start, end) >= 0 or text.find("：", start, end) >= 0


def _marked_header(text: str, start: int, end: int) -> tuple[str | None, int]:
    """Markdown's "## Plan", "**Plan:** text", and "【主诉】text"."""
    heading = _HEADING.match(text, start, end)
    if heading:
        return (heading.group(1) or heading.group(2)).strip().rstrip(":：").rstrip(), end
    match = _MARKED_TITLE.match(text, start, end)
    if match is None:
        return None, start
    written = (match.group(1) or match.group(2)).strip()
    title = written.rstrip(":：").rstrip()
    alone = match.end() == end and text[start] != "["
    if title and (_names_section(title) or alone):
        return title, match.end()
    return None, start


@lru_cache(maxsize=4096)
def _names_section(title: str) -> bool:
    """Whether the words are those of a section's title.

    >>> _names_section("Past Medical and Surgical History"), _names_section("Plan discharge home")
    (True, False)
    """
    if title in _CHINESE_TITLES:
        return True
    words = [word.lower() for word in _WORD.findall(title)]
    if not all(word in _TITLE_HEADS or word in _TITLE_MODIFIERS or word in _TITLE_JOINTS for word in words):
        return False
    return any(
        word in _TITLE_HEADS and (i + 1 == len(words) or words[i + 1] in _TITLE_JOINTS)
        for i, word in enumerate(words)
    )


def _stands_alone(line: str) -> bool:
    """A title without a colon, alone on its line: only the names that mean nothing else."""
    if line in _CHINESE_TITLES:
        return True
    if not line[0].isupper() or not line[-1].isalnum() or line.lower() in _NEEDS_COLON:
        return False
    return _names_section(line)


@lru_cache(maxsize=4096)
def _is_title_case(title: str) -> bool:
    """Whether a line that ends with a colon is a title ("Skin And Nails:") and not "She was given:"."""
    words = _WORD.findall(title)
    if len(words) > 7 or title.lower() in _MEASUREMENTS or not title[0].isupper():
        return False
    return all(not word[0].islower() or word in _TITLE_JOINTS for word in words)
