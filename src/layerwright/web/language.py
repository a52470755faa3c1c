"""The page's words in English and Chinese. Messages of the harness stay in English, as the reports have them."""

from collections.abc import Callable
from typing import Final

__all__ = ["LANGUAGES", "choose_language", "translator"]

LANGUAGES: Final = {"en": "English", "zh": "中文"}

_WORDS: Final[dict[str, tuple[str, str]]] = {
    "title": ("Executors", "执行器"),
    "skip": ("Skip to the content", "跳到正文"),
    "home": ("Overview", "概览"),
    "images": ("Images", "镜像"),
    "jobs": ("Jobs", "任务"),
    "no jobs": ("Nothing has run yet.", "还没有运行过任务。"),
    "training": ("training", "训练"),
    "mining": ("mining", "挖掘"),
    "infer": ("infer", "推理"),
    "start training": ("Train", "训练"),
    "start mining": ("Mine", "挖掘"),
    "start infer": ("Infer", "推理"),
    "open": ("Open", "打开"),
    "read again": ("Read the image again", "重新读取镜像"),
    "not read": (
        "The image is read, and built if need be, when it is opened.",
        "打开时读取镜像，必要时先构建。",
    ),
    "object types": ("Object types", "目标类型"),
    "engine": ("Engine", "引擎"),
    "task": ("Task", "任务"),
    "image": ("Image", "镜像"),
    "created": ("Created", "创建时间"),
    "state": ("State", "状态"),
    "progress": ("Progress", "进度"),
    "parameters": ("Hyper-parameters", "超参数"),
    "no parameters": ("The template has no values to set.", "模板没有可设置的值。"),
    "untyped": (
        "The image does not say types or ranges; they are guessed from its template.",
        "镜像未声明类型和范围，以下按模板推测。",
    ),
    "data": ("Pictures", "图像"),
    "no data": (
        "No data set was named when this page was started: --data PATH, or a folder `data` beside the spec.",
        "启动本页时没有指定数据集：使用 --data PATH，或在规格文件旁放 data 文件夹。",
    ),
    "limit": ("Take only the first pictures of each part (0: all)", "每部分只取前若干张（0 为全部）"),
    "start model": ("Model to start from", "起始模型"),
    "no model": ("none", "无"),
    "needs model": (
        "The platform never runs this task without a model; train one first.",
        "平台不会在没有模型时运行此任务；请先训练。",
    ),
    "topk": ("How many pictures are selected (0: a fifth)", "选取多少张（0 为五分之一）"),
    "also infer": ("Infer in the same container, too", "在同一容器中也做推理"),
    "start": ("Start", "开始"),
    "from": ("from", "从"),
    "to": ("to", "到"),
    "default": ("default", "默认"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "wrong": ("The form was not sent on. Mend what is marked:", "表单未提交，请修改标出的内容："),
    "remaining": ("Remaining", "剩余时间"),
    "unknown": ("unknown", "未知"),
    "platform shows": ("The platform would show", "平台会显示"),
    "steps": ("Steps", "步骤"),
    "step": ("Step", "步骤"),
    "time": ("Time", "时间"),
    "detail": ("Detail", "说明"),
    "step prepare": ("Prepare the inputs", "准备输入"),
    "step load": ("Start, until the first report", "启动，直到第一次报告"),
    "step training": ("Train", "训练"),
    "step mining": ("Mine", "挖掘"),
    "step infer": ("Infer", "推理"),
    "step judge": ("Judge the result", "判定结果"),
    "done": ("done", "完成"),
    "now": ("now", "进行中"),
    "failed": ("failed", "失败"),
    "waiting": ("waiting", "等待"),
    "prepared": ("prepared", "已准备"),
    "running": ("running", "运行中"),
    "cancelled": ("cancelled", "已取消"),
    "stages": ("Model stages", "模型阶段"),
    "stage": ("Stage", "阶段"),
    "best": ("best", "最佳"),
    "files": ("Files", "文件"),
    "after": ("After", "用时"),
    "log": ("Log", "日志"),
    "log empty": ("Nothing was printed yet.", "还没有输出。"),
    "verdict": ("Verdict", "判定"),
    "success": ("The platform takes the result.", "平台接受该结果。"),
    "failure": ("The task fails on the platform", "任务在平台上会失败"),
    "remarks": ("Remarks", "意见"),
    "no remarks": (
        "No remarks: nothing is refused and nothing is lost.",
        "没有意见：没有被拒绝或丢失的内容。",
    ),
    "rejected": ("refused", "被拒绝"),
    "lost": ("lost", "会丢失"),
    "fine": ("fine", "可接受"),
    "rule": ("rule", "规则"),
    "repair": ("Repair", "修复"),
    "package": ("Model package", "模型包"),
    "results": ("Results", "结果"),
    "pictures": ("Pictures with what was found", "带检测结果的图像"),
    "gallery": ("Pictures in the order of the mining", "按挖掘顺序排列的图像"),
    "selected": ("selected", "已选取"),
    "score": ("score", "分数"),
    "labels": ("labels", "标注"),
    "found": ("found", "检测到"),
    "nothing found": ("nothing found", "没有检测到"),
    "show labels": ("Show the data set's labels", "显示数据集标注"),
    "page": ("Page", "页"),
    "of": ("of", "共"),
    "previous": ("Previous", "上一页"),
    "next": ("Next", "下一页"),
    "cancel": ("Stop", "停止"),
    "cancel keep": ("Stop and keep the result", "停止并保留结果"),
    "cancel note": (
        "As on the platform, the container is killed at once.",
        "与平台一样，容器会被立即终止。",
    ),
    "again": ("Same form again", "用同样的表单再次运行"),
    "settings": ("config.yaml as the executor got it", "执行器得到的 config.yaml"),
    "command line": ("Command line", "命令行"),
    "report": ("Report as JSON", "JSON 报告"),
    "tensorboard": ("TensorBoard", "TensorBoard"),
    "tensorboard open": ("Open TensorBoard", "打开 TensorBoard"),
    "tensorboard start": ("Start TensorBoard", "启动 TensorBoard"),
    "tensorboard here": (
        "It answers on the machine of this page alone. From another one, forward its port, too:",
        "它只在本页所在的机器上应答。从其他机器访问时，请同样转发其端口：",
    ),
    "tensorboard none": ("No event files yet.", "还没有事件文件。"),
    "tensorboard missing": (
        "TensorBoard is not installed here; with it installed:",
        "此处没有安装 TensorBoard；安装后运行：",
    ),
    "folder": ("Work folder", "工作目录"),
    "whole log": ("The whole log", "完整日志"),
    "not found": ("There is no such page.", "没有这个页面。"),
    "back": ("Back to the overview", "返回概览"),
    "language": ("Language", "语言"),
    "seconds": ("s", "秒"),
    "minutes": ("min", "分"),
    "hours": ("h", "小时"),
    "dropped": ("Not sent by the platform's page (falsy values)", "平台页面不会发送的值（空、0、否）"),
    "more settings": ("Sent as the template has them", "按模板原样发送"),
    "choose": ("Choose what to run", "选择要运行的任务"),
    "no answer": (
        "The program behind this page does not answer: what stands here may be out of date.",
        "本页背后的程序没有应答：此处内容可能已过时。",
    ),
    "mode live": ("updates by itself", "自动更新"),
}


def choose_language(asked: str, accepted: str) -> str:
    """A language that there is.

    Args:
        asked: by the cookie or the address; may be anything.
        accepted: the browser's ``Accept-Language``.
    """
    if asked in LANGUAGES:
        return asked
    for part in accepted.lower().split(","):
        name = part.partition(";")[0].strip().partition("-")[0]
        if name in LANGUAGES:
            return name
    return "en"


def translator(language: str) -> Callable[[str], str]:
    """The words of a language by their keys.

    Raises:
        KeyError: when the words are asked for, by a key that there is not: a fault of the page.
    """
    place = list(LANGUAGES).index(language)
    return lambda key: _WORDS[key][place]
