"""The routes of the page."""

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from layerwright.core.errors import LayerwrightError, UsageError
from layerwright.core.text import time_text
from layerwright.harness.beneath import beneath
from layerwright.harness.jobs import JobView, cancel_job, list_jobs, read_job, read_log
from layerwright.harness.judging import read_infer
from layerwright.harness.records import LOG_PLACE, REPORT
from layerwright.host.process import quote as quote_words
from layerwright.web import jobs as pages
from layerwright.web.board import Board
from layerwright.web.crew import Crew
from layerwright.web.forms import PREFIX, Filled, StartChoice, fill, prefilled, refused, start_choices
from layerwright.web.guard import CSRF_FIELD, Guard, form_fields
from layerwright.web.images import Card, Cards
from layerwright.web.language import LANGUAGES, choose_language, translator
from layerwright.web.masks import mask_png
from layerwright.web.site import LOCK, Site
from layerwright.workflow.executor_run import start_executor
from layerwright.ymir.codes import TASKS, Task
from layerwright.ymir.dataset import Picture, asset_path
from layerwright.ymir.parameters import form_text

__all__ = ["make_app"]

_STATIC: Final = {"page.css": "text/css", "page.js": "text/javascript"}
_PICTURES: Final = {"jpg": "image/jpeg", "png": "image/png", "bmp": "image/bmp"}
_LOG_SHOWN: Final = 64 << 10
_JOBS_SHOWN: Final = 100
_UNITS: Final = ("seconds", "minutes", "hours")
_LEAST_CURVE: Final = 3


def make_app(site: Site, *, token: str, board: Board, crew: Crew) -> Starlette:
    """The page as an ASGI application.

    Args:
        site: what it is of.
        token: that requests need; empty on the loopback address.
        board: TensorBoard of the site's jobs.
        crew: gets the jobs that the page starts.
    """
    view = _Views(site, board, crew)
    routes = [
        Route("/", view.index),
        Route("/static/{name}", view.static),
        Route("/images/{image}", view.image, methods=["GET", "POST"]),
        Route("/images/{image}/{task}", view.form, methods=["GET", "POST"]),
        Route("/jobs/{job}", view.job),
        Route("/jobs/{job}/live", view.live),
        Route("/jobs/{job}/log", view.log),
        Route("/jobs/{job}/log.txt", view.whole_log),
        Route("/jobs/{job}/report.json", view.report),
        Route("/jobs/{job}/cancel", view.cancel, methods=["POST"]),
        Route("/jobs/{job}/pictures", view.pictures),
        Route("/jobs/{job}/gallery", view.gallery),
        Route("/jobs/{job}/pictures/{asset}", view.picture),
        Route("/jobs/{job}/pictures/{asset}/masks", view.masks),
        Route("/tensorboard", view.tensorboard, methods=["POST"]),
    ]
    return Starlette(
        routes=[Route(one.path, _in_thread(one.endpoint), methods=one.methods) for one in routes],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=Guard(token=token))],
        exception_handlers={
            HTTPStatus.NOT_FOUND: view.missing,
            LayerwrightError: view.failed,
            _Missing: view.missing,
        },
    )


class _Missing(Exception):  # noqa: N818 - an answer, not a fault
    """There is no such page."""


def _in_thread(endpoint: Callable[[Request], Response]) -> Callable[[Request], Any]:
    """Handlers read files and ask engines: they run beside the loop, with the form read before."""

    async def handler(request: Request) -> Response:
        if request.method == "POST":
            await form_fields(request)
        return await run_in_threadpool(endpoint, request)

    return handler


class _Views:
    def __init__(self, site: Site, board: Board, crew: Crew) -> None:
        self.site = site
        self.board = board
        self.crew = crew
        self.cards = Cards(site)
        self.templates = Environment(
            loader=PackageLoader("layerwright.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters["form_text"] = form_text
        self.templates.filters["basename"] = lambda path: path.rpartition("/")[2]
        self.templates.filters["moment"] = lambda when: time.strftime(
            "%Y-%m-%d %H:%M:%S", time.localtime(when)
        )

    # pages

    def index(self, request: Request) -> Response:
        images = [(name, self._known(name)) for name in self.site.images]
        found = list_jobs(self.site.runs)[:_JOBS_SHOWN]
        return self._page(request, "index.html", images=images, jobs=found)

    def image(self, request: Request) -> Response:
        name = self._image_name(request)
        again = request.method == "POST"
        card = self.cards.ask(name, self.site.engines[0], again=again)
        if again:
            return _see(f"/images/{quote(name, safe='')}")
        return self._page(request, "image.html", card=card)

    def form(self, request: Request) -> Response:
        name, task = self._image_name(request), request.path_params["task"]
        card = self.cards.ask(name, self.site.engines[0])
        if task not in TASKS or task not in card.tasks:
            raise _Missing
        starts = start_choices(self.site, name)
        if request.method != "POST":
            return self._form_page(request, card, task, starts, self._like(request, card, task, starts))
        filled = fill(self.site, card, task, starts, _sent(request))
        if filled.request is None:
            return self._form_page(request, card, task, starts, filled)
        try:
            with LOCK:
                started = start_executor(self.site.session, filled.request)
        except UsageError as error:
            return self._form_page(request, card, task, starts, refused(filled, error))
        self.crew.add(started)
        return _see(f"/jobs/{started.task_id}")

    def job(self, request: Request) -> Response:
        page = pages.job_page(self._folder(request))
        return self._page(
            request,
            "job.html",
            page=page,
            curve=_curve(page),
            log=read_log(page.view.folder, offset=-_LOG_SHOWN, limit=_LOG_SHOWN),
            command_line=quote_words(page.view.job.argv),
            settings=pages.settings(page.view),
            board=self.board,
            known=page.view.job.image_name in self.site.images,
        )

    def live(self, request: Request) -> Response:
        page = pages.job_page(self._folder(request))
        return self._page(request, "live.html", page=page, curve=_curve(page))

    def log(self, request: Request) -> Response:
        offset = _number(request, "offset", 0)
        part = read_log(self._folder(request), offset=offset, limit=_LOG_SHOWN)
        return JSONResponse({"text": part.text, "offset": part.offset, "whole": part.whole})

    def whole_log(self, request: Request) -> Response:
        return self._file(request, LOG_PLACE, "text/plain; charset=utf-8")

    def report(self, request: Request) -> Response:
        return self._file(request, REPORT, "application/json")

    def cancel(self, request: Request) -> Response:
        folder = self._folder(request)
        cancel_job(folder, fetch_result=_sent(request).get("keep") == "yes")
        return _see(f"/jobs/{folder.name}")

    def pictures(self, request: Request) -> Response:
        folder = self._folder(request)
        shown = pages.picture_page(folder, _number(request, "page", 1))
        return self._pictures_page(request, read_job(folder), shown, "pictures")

    def gallery(self, request: Request) -> Response:
        folder = self._folder(request)
        shown = pages.mining_page(folder, _number(request, "page", 1))
        return self._pictures_page(request, read_job(folder), shown, "gallery")

    def picture(self, request: Request) -> Response:
        picture = self._picture(request)
        return self._file(request, asset_path(picture, "assets"), _PICTURES[picture.extension])

    def masks(self, request: Request) -> Response:
        folder = self._folder(request)
        picture = self._picture(request)
        boxes = read_infer(folder).boxes.get(picture.name, ())
        places = _places(read_job(folder))
        try:
            data = mask_png(boxes, [places(box.class_name) for box in boxes], picture.width, picture.height)
        except ValueError as error:
            raise _Missing from error
        return Response(data, media_type="image/png")

    def tensorboard(self, request: Request) -> Response:
        self.board.start()
        job = self.site.job_folder(_sent(request).get("back", ""))
        return _see(f"/jobs/{job.name}" if job else "/")

    def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            raise _Missing
        data = files("layerwright.web").joinpath("static", name).read_bytes()
        return Response(data, media_type=_STATIC[name], headers={"Cache-Control": "no-cache"})

    # answers to what went wrong

    async def missing(self, request: Request, _error: Exception) -> Response:
        t = translator(_language(request))
        return self._page(
            request, "problem.html", status=HTTPStatus.NOT_FOUND, heading=t("not found"), hint=""
        )

    async def failed(self, request: Request, error: Exception) -> Response:
        known = cast("LayerwrightError", error)
        return self._page(
            request, "problem.html", status=HTTPStatus.BAD_REQUEST, heading=known.what, hint=known.hint
        )

    # parts

    def _known(self, name: str) -> Card | None:
        return self.cards.known(name, self.site.engines[0])

    def _image_name(self, request: Request) -> str:
        name: str = request.path_params["image"]
        if name not in self.site.images:
            raise _Missing
        return name

    def _folder(self, request: Request) -> Path:
        folder = self.site.job_folder(request.path_params["job"])
        if folder is None:
            raise _Missing
        return folder

    def _file(self, request: Request, place: str, kind: str) -> Response:
        # Executors write into their work folder, and a link of theirs may lead anywhere.
        found = beneath(self._folder(request), place)
        if found is None:
            raise _Missing
        return FileResponse(found, media_type=kind)

    def _picture(self, request: Request) -> Picture:
        found = pages.find_picture(self._folder(request), request.path_params["asset"])
        if found is None:
            raise _Missing
        return found

    def _like(self, request: Request, card: Card, task: Task, starts: tuple[StartChoice, ...]) -> Filled:
        """The form as it was for an earlier job, or as the image has it."""
        filled = prefilled(self.site, card.tasks[task], task, starts)
        folder = self.site.job_folder(request.query_params.get("like", ""))
        if folder is None:
            return filled
        job = read_job(folder).job
        texts = dict(filled.texts)
        for one in card.tasks[task].parameters:
            value = job.configuration.get(one.name)
            if isinstance(value, bool | int | float | str):
                texts[f"{PREFIX}{one.name}"] = form_text(value)
        texts["engine"] = job.engine if job.engine in self.site.engines else texts["engine"]
        texts["data"] = next((one.name for one in self.site.data if str(one.path) == job.data), texts["data"])
        texts["limit"] = str(job.limit)
        if job.task == task:
            texts["topk"] = str(job.topk)
            texts["also_infer"] = "yes" if job.also_infer else ""
            of = next(
                (one for one in starts if job.model and Path(job.model).is_relative_to(one.folder)), None
            )
            texts["start"] = of.task_id if of else ""
        return Filled(texts=texts)

    def _form_page(
        self, request: Request, card: Card, task: Task, starts: tuple[StartChoice, ...], filled: Filled
    ) -> Response:
        t = translator(_language(request))
        labels = {f"{PREFIX}{one.name}": one.name for one in card.tasks[task].parameters}
        labels |= {"data": t("data"), "engine": t("engine"), "start": t("start model")}
        labels |= {"limit": t("limit"), "topk": t("topk")}
        return self._page(
            request,
            "form.html",
            status=HTTPStatus.UNPROCESSABLE_ENTITY if filled.errors else HTTPStatus.OK,
            card=card,
            task=task,
            fields=card.tasks[task],
            starts=starts,
            filled=filled,
            labels=labels,
            prefix=PREFIX,
        )

    def _pictures_page(
        self, request: Request, view: JobView, shown: pages.PicturePage, title: str
    ) -> Response:
        words = translator(_language(request))
        return self._page(
            request,
            "pictures.html",
            view=view,
            pictures=shown,
            title=words(title),
            class_place=_places(view),
        )

    def _page(
        self, request: Request, template: str, *, status: HTTPStatus = HTTPStatus.OK, **values: object
    ) -> Response:
        language = _language(request)
        words = translator(language)
        self_values: Mapping[str, object] = {
            "t": words,
            "language": language,
            "languages": LANGUAGES,
            "kept": [one for one in request.query_params.multi_items() if one[0] not in {"lang", "token"}],
            "csrf": getattr(request.state, CSRF_FIELD, ""),
            "site": self.site,
        }
        shape = self.templates.overlay()
        shape.filters = {
            **self.templates.filters,
            "duration": lambda seconds: time_text(seconds, *map(words, _UNITS)),
        }
        text = shape.get_template(template).render({**self_values, **values})
        response = HTMLResponse(text, status_code=status)
        if "lang" in request.query_params:
            response.set_cookie("layerwright-language", language, samesite="strict")
        return response


def _language(request: Request) -> str:
    asked = request.query_params.get("lang") or request.cookies.get("layerwright-language", "")
    return choose_language(asked, request.headers.get("accept-language", ""))


def _sent(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.state.fields if name != CSRF_FIELD}


def _see(place: str) -> Response:
    return RedirectResponse(place, status_code=HTTPStatus.SEE_OTHER)


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else default  # noqa: PLR2004


def _places(view: JobView) -> Callable[[str], int]:
    """The place of a class among the job's; beyond them for one that is none of them."""
    known = {name: place for place, name in enumerate(view.job.class_names)}
    return lambda name: known.get(name, len(known))


def _curve(page: pages.JobPage) -> dict[str, str] | None:
    """The first metric over the stages, as the points of a line; None for too few to see a course in."""
    if not page.metrics:
        return None
    name = page.metrics[0]
    values = [row.metrics[name] for row in page.stages if name in row.metrics]
    if len(values) < _LEAST_CURVE:
        return None
    most = max(*values, 1e-9)
    wide, high = 280 / (len(values) - 1), 65 / most
    points = " ".join(
        f"{33 + wide * place:.1f},{80 - high * value:.1f}" for place, value in enumerate(values)
    )
    text = ", ".join(f"{value:.3f}" for value in values)
    return {"points": points, "most": f"{most:.2f}", "text": text}
