"""The kinds of findings about what an executor's image says of itself."""

from typing import Final

from layerwright.core.findings import Kind

__all__ = [
    "BANNER",
    "COMMAND",
    "DATE",
    "DUPLICATE",
    "ENTRYPOINT",
    "FALSY",
    "FLAG",
    "FLAT",
    "FOLDER",
    "KEY",
    "KINDS",
    "LONG",
    "MANIFEST",
    "NAN",
    "NO_TEMPLATE",
    "NULL",
    "NUMBER",
    "OBJECT_TYPE",
    "PARAMETERS",
    "READABLE",
    "RESERVED",
    "SHAPE",
    "SIZE",
    "STANDARD_ERROR",
    "TEMPLATE",
    "WORD",
    "ZERO",
]

_SEEN: Final = "as observed of YMIR 2.5"

NO_TEMPLATE = Kind(
    code="LW-YMIR-NO-TEMPLATE",
    title="The image has no template, so the platform does not take it",
    why="The platform learns which tasks an image does from its templates. Without one it answers 130401, does not "
    "match any configuration.",
    evidence="The files /img-man/{training,mining,infer}-template.yaml, or those in the folders of the object types "
    f"that the manifest lists, {_SEEN}.",
    repair="Give the image a template for each task it does; a mapping without keys, {}, is enough. Images with the "
    "role executor get theirs from [[images.NAME.parameters]].",
)
TEMPLATE = Kind(
    code="LW-YMIR-TEMPLATE",
    title="A template that is no mapping: the platform does not see it, or fails on it",
    why="A file with comments alone, a list, a single value, or text that is no YAML counts as absent: the task is "
    "missing in the platform, and nothing says why. Values that JSON has no form for make the whole request fail.",
    evidence=f"The file, read as safe YAML 1.1, {_SEEN}.",
    repair="Write `key: value` lines, one flat mapping; {} when there is nothing to set.",
)
DATE = Kind(
    code="LW-YMIR-DATE",
    title="A value that YAML reads as a date",
    why="The platform keeps templates as JSON, which has no dates: reading the image ends in an error that nobody "
    "expects, and the image cannot be added.",
    evidence=f"The value as YAML 1.1 reads it, {_SEEN}.",
    repair='Put it into quotes: since: "2020-01-01".',
)
NAN = Kind(
    code="LW-YMIR-NAN",
    title="A number that JSON does not have",
    why="`.nan` and `.inf` are stored as NaN and Infinity, which are no JSON: the browser and other programs that "
    "read the image's settings fail on them.",
    evidence=f"The value as YAML reads it, {_SEEN}.",
    repair="Give a number, or leave the key out and treat its absence as no limit.",
)
FLAT = Kind(
    code="LW-YMIR-FLAT",
    title="A value that is a list or a mapping",
    why="The platform's form has one box a key: lists and mappings show as text, and what somebody edits comes back "
    "as text that the executor has to parse. The platform's documentation asks for one flat level.",
    evidence="The template's values.",
    repair='Give each value a key of its own, or write a list as one text, such as "a,b,c".',
)
KEY = Kind(
    code="LW-YMIR-KEY",
    title="A key that YAML changes, or that is longer than the form takes",
    why="`on`, `yes`, `1` or `null` as keys are no text in YAML 1.1: the platform keeps `true`, `1` or `null`. The "
    "form takes keys of at most 50 characters.",
    evidence="The key as YAML 1.1 reads it.",
    repair="Name it otherwise; quotes keep a key what it is.",
)
DUPLICATE = Kind(
    code="LW-YMIR-DUPLICATE",
    title="A key stands twice",
    why="The last one counts, and nothing says so.",
    evidence="The lines of the file.",
    repair="Keep one of them.",
)
NUMBER = Kind(
    code="LW-YMIR-NUMBER",
    title="A number that YAML 1.1 reads otherwise than it looks",
    why="The platform reads YAML 1.1: `1e-3` and `0o17` are text there, so the form shows a box for text and the "
    "executor gets text; `010` is 8, `1:30` is 90 and `1_000` is 1000.",
    evidence="The value as written, and as YAML 1.1 reads it (https://yaml.org/type/float.html, int.html).",
    repair="Write 0.001 or 1.0e-3 for numbers, in decimal; put text into quotes.",
)
WORD = Kind(
    code="LW-YMIR-WORD",
    title="A word that YAML 1.1 reads as true or false",
    why="`yes`, `no`, `on` and `off` become true and false. Whoever meant the word gets a truth value, and after an "
    "edit in the form the text true or false.",
    evidence="The value as written (https://yaml.org/type/bool.html).",
    repair="Write true or false for truth values, and quotes around words.",
)
NULL = Kind(
    code="LW-YMIR-NULL",
    title="A value that is nothing",
    why="The form shows an empty box of text: what is typed comes back as text, whatever type was meant; left alone, "
    "mining and inference do not send the key at all.",
    evidence="The template's values.",
    repair="Give a default of the type that is meant.",
)
LONG = Kind(
    code="LW-YMIR-LONG",
    title="A value that does not fit its box in the form",
    why="The form's box takes one line of at most 100 characters, or 20 digits: once edited, the rest cannot be "
    "typed again.",
    evidence="The template's values.",
    repair="Shorten it, or let it name a file.",
)
SIZE = Kind(
    code="LW-YMIR-SIZE",
    title="A template larger than the platform keeps",
    why="Templates are kept as JSON text of at most 20 000 characters.",
    evidence="The size of the mapping as JSON.",
    repair="Move what nobody edits into the code or a file of the image.",
)
RESERVED = Kind(
    code="LW-YMIR-RESERVED",
    title="A key that the platform sets itself",
    why="The platform puts its own value there, or takes the key away: the template's value never arrives, and a "
    "program that uses the key for something else reads what it did not expect.",
    evidence="The platform's own keys: gpu_id, gpu_count, task_id, class_names, object_type, model files, run_infer, "
    "run_mining, git_url and its like, openpai_*, prompt.",
    repair="Leave it out, or give it another name.",
)
SHAPE = Kind(
    code="LW-YMIR-SHAPE",
    title="A key with a meaning to the platform, and a value it does not take",
    why="`shm_size` goes to Docker as it stands, where 32 means 32 bytes. `export_format` must be ANNOTATION:ASSET: "
    "anything else ends the task with 169999, an unknown annotation part gives empty index files without a word.",
    evidence=f"The value, {_SEEN}.",
    repair='Such as shm_size: 16G and export_format: "ark:raw", "voc:raw" or "seg-coco:raw".',
)
FALSY = Kind(
    code="LW-YMIR-FALSY",
    title="Defaults that mining and inference do not send",
    why="The pages for mining and inference drop every value that is 0, false, empty or null: the key is then "
    "missing in config.yaml, although the template has it.",
    evidence="The template's values.",
    repair="Nothing, when the program uses the same default for a missing key. (layerwright's and ymir_exc's readers "
    "take the default of parameters.json.)",
)
ZERO = Kind(
    code="LW-YMIR-ZERO",
    title="A 0 that cannot be chosen in mining or inference",
    why="The parameter may be 0, and its default is another number; the pages for mining and inference drop the 0 "
    "that somebody types, so that the program uses its default.",
    evidence="Range and default in parameters.json.",
    repair="Let another value mean none (such as -1), or make 0 the default.",
)
OBJECT_TYPE = Kind(
    code="LW-YMIR-OBJECT-TYPE",
    title="The manifest's object_type is none that the platform takes",
    why="Text, fractions, null and empty lists are refused with 130401; an unknown number in a list makes the "
    "request fail; an unknown number alone, and true (which counts as 1), are taken, and no project has that type.",
    evidence=f"object_type in /img-man/manifest.yaml, {_SEEN}.",
    repair="2 detection, 3 semantic segmentation, 4 instance segmentation, 50 multi-modal; or a list of them for "
    "releases from 2.4.",
)
FOLDER = Kind(
    code="LW-YMIR-FOLDER",
    title="Templates stand where the platform does not look",
    why="With one object type the platform reads the templates in /img-man itself; with a list of them only those in "
    "the folders det, semantic-seg, instance-seg and multi-modal.",
    evidence="object_type in the manifest, and the files of /img-man.",
    repair="Move the templates, or change object_type.",
)
FLAG = Kind(
    code="LW-YMIR-FLAG",
    title="A switch of the manifest that is text",
    why='The platform asks only whether there is something: the text "false" counts as true.',
    evidence=f"enable_livecode and is_official in /img-man/manifest.yaml, {_SEEN}.",
    repair="Write true or false, without quotes.",
)
MANIFEST = Kind(
    code="LW-YMIR-MANIFEST",
    title="A manifest that is not there, or says what nobody reads",
    why="Without a readable /img-man/manifest.yaml the image counts as one for detection, without live code. "
    "Releases 2.0.x looked for /img-man/code-access.yaml in its place; later ones do not.",
    evidence="The files of /img-man.",
    repair="Write object_type and enable_livecode.",
)
PARAMETERS = Kind(
    code="LW-YMIR-PARAMETERS",
    title="parameters.json and the templates say different things",
    why="The platform's form is made of the templates, and values are read back by the types of parameters.json: "
    "where they differ, a value is refused, or another default holds than the form shows.",
    evidence="The two files.",
    repair="Write both from one source: [[images.NAME.parameters]].",
)
BANNER = Kind(
    code="LW-YMIR-BANNER",
    title="The entrypoint says more than the file does",
    why="The platform reads files by `docker run IMAGE cat FILE`, through the entrypoint. A banner before the text "
    "hides the template, or becomes a parameter when it looks like `name: value`; CUDA images of vendors print one.",
    evidence="What the command printed, beside the file's own bytes.",
    repair="End the image with an entrypoint that prints nothing: ENTRYPOINT [] in a Dockerfile; images with the "
    "role executor have one.",
)
STANDARD_ERROR = Kind(
    code="LW-YMIR-STDERR",
    title="`cat` fails through the entrypoint, and the platform reads the error's text",
    why="When the command fails the platform parses what it wrote to standard error: a text such as `exec failed: "
    "nope` is a mapping, and is taken for the template.",
    evidence="Exit code and standard error of the command.",
    repair='Let the entrypoint run its arguments: exec "$@" at its end, or ENTRYPOINT [].',
)
ENTRYPOINT = Kind(
    code="LW-YMIR-ENTRYPOINT",
    title="The entrypoint does not run the command it is given",
    why="Everything the platform does with an image goes through its entrypoint: reading its files as well as "
    "starting it. An entrypoint that is an interpreter takes `cat` for the name of a script; one in the shell's form "
    "takes no arguments; NVIDIA's prints a banner.",
    evidence="The entrypoint in the image's config or its Dockerfile; without an engine its program is not run.",
    repair="ENTRYPOINT [] in a Dockerfile; in layerwright.toml leave `entrypoint` out.",
)
COMMAND = Kind(
    code="LW-YMIR-COMMAND",
    title="The image does not say what to run",
    why="The platform gives no command: the image's own runs. By convention it is `bash /usr/bin/start.sh`.",
    evidence="Entrypoint and command in the image's config, and the files of the image.",
    repair='CMD ["bash", "/usr/bin/start.sh"], and a start.sh at that place.',
)
READABLE = Kind(
    code="LW-YMIR-READABLE",
    title="What the platform's user must read is closed to it",
    why="The platform starts containers with its own uid and gid, which own nothing in the image.",
    evidence="Owner and mode of the file and its folders.",
    repair="chmod a+rX, or COPY --chmod=755.",
)
KINDS: Final = (
    NO_TEMPLATE,
    TEMPLATE,
    DATE,
    NAN,
    FLAT,
    KEY,
    DUPLICATE,
    NUMBER,
    WORD,
    NULL,
    LONG,
    SIZE,
    RESERVED,
    SHAPE,
    FALSY,
    ZERO,
    OBJECT_TYPE,
    FOLDER,
    FLAG,
    MANIFEST,
    PARAMETERS,
    BANNER,
    STANDARD_ERROR,
    ENTRYPOINT,
    COMMAND,
    READABLE,
)
