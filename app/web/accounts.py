"""Set-up, log-in, one's own account, and the administrator's list of people."""

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from app.db import session_scope
from app.errors import TooManyAttempts
from app.http.identity import (
    LOCALE_COOKIE,
    MaybeIdentity,
    Person,
    client_of,
    forget_login,
    keep_logged_in,
)
from app.http.password_queue import in_password_queue
from app.http.routing import Db, Router
from app.i18n import LOCALES, mark, set_locale
from app.i18n import gettext as _
from app.security.passwords import check_strength
from app.services import accounts, api_tokens
from app.services.access import Actor
from app.services.api_tokens import DEFAULT_DAYS
from app.services.log_in import begin, confirm_password
from app.services.log_in import log_in as log_in_with_password
from app.web.forms import Form, Problems, text
from app.web.render import THEME_COOKIE, THEMES, local_path, redirect, render

router = Router()
_YEAR = 365 * 86_400
TOKEN_DAYS = {
    "7": mark("a week"),
    "30": mark("30 days"),
    "90": mark("90 days"),
    "180": mark("half a year"),
    "366": mark("a year"),
}


@router.get("/setup")
def setup_page(request: Request, session: Db, identity: MaybeIdentity, token: str = "") -> Response:
    if accounts.has_accounts(session):
        return RedirectResponse("/login", 303)
    return render(request, "pages/setup.html", token=token, values={}, problems=Problems())


@router.post("/setup")
@in_password_queue
def set_up(request: Request, identity: MaybeIdentity, form: Form) -> Response:
    problems = Problems()
    values = {name: text(form, name) for name in ("email", "name")}
    with problems.collecting():
        user = accounts.set_up(token=text(form, "token"), password=text(form, "password"), **values)
    if problems:
        return render(
            request,
            "pages/setup.html",
            status=422,
            token=text(form, "token"),
            values=values,
            problems=problems,
        )
    with session_scope() as session:
        login = begin(session, user, client_of(request, identity))
    response = redirect(request, "/", flash=_("Welcome to Annotune. This is your account."))
    keep_logged_in(request, response, login)
    return response


@router.get("/login")
def login_page(request: Request, session: Db, identity: MaybeIdentity, next: str = "/") -> Response:
    if identity is not None:
        return RedirectResponse(local_path(next), 303)
    if not accounts.has_accounts(session):
        return render(request, "pages/setup.html", token="", values={}, problems=Problems())
    return render(request, "pages/login.html", next=local_path(next), email="", message="")


@router.post("/login")
@in_password_queue
def log_in(request: Request, identity: MaybeIdentity, form: Form) -> Response:
    email, target = text(form, "email"), local_path(text(form, "next", "/"))
    status, message, wait = 422, _("The e-mail address or the password is not right."), None
    try:
        login = log_in_with_password(
            email=email, password=text(form, "password"), client=client_of(request, identity)
        )
    except TooManyAttempts as error:
        login, status, message, wait = None, error.status, error.message, error.retry_after
    if login is not None:
        response = redirect(request, target)
        keep_logged_in(request, response, login)
        return response
    response = render(
        request, "pages/login.html", status=status, next=target, email=email, message=message
    )
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response


@router.post("/logout")
def log_out(request: Request, session: Db, identity: MaybeIdentity) -> Response:
    if identity is not None and identity.secret:
        accounts.end_session(session, identity.secret)
    response = redirect(request, "/login")
    forget_login(request, response)
    return response


@router.post("/preferences")
def set_preferences(request: Request, session: Db, identity: MaybeIdentity, form: Form) -> Response:
    response = redirect(request, local_path(text(form, "next", "/")))
    theme, locale = text(form, "theme"), text(form, "locale")
    if theme in THEMES:
        response.set_cookie(THEME_COOKIE, theme, max_age=_YEAR, samesite="lax")
    if locale in LOCALES:
        response.set_cookie(LOCALE_COOKIE, locale, max_age=_YEAR, samesite="lax")
        if identity is not None:
            accounts.set_locale(session, identity.actor, locale)
            set_locale(locale)
    return response


@router.get("/account")
def account_page(request: Request, session: Db, person: Person) -> Response:
    return _account(request, session, person.actor)


def _account(
    request: Request,
    session: Session,
    actor: Actor,
    *,
    problems: Problems | None = None,
    secret: str | None = None,
    values: FormData | None = None,
) -> Response:
    kept = values if problems and values else FormData()
    return render(
        request,
        "pages/account.html",
        values={name: text(kept, name) for name in ("name", "scope", "days")},
        token_days=TOKEN_DAYS,
        status=422 if problems else 200,
        tokens=api_tokens.list_tokens(session, actor),
        problems=problems or Problems(),
        new_secret=secret,
        active="account",
    )


@router.post("/account/password")
@in_password_queue
def change_password(request: Request, person: Person, form: Form) -> Response:
    problems = Problems()
    with problems.collecting():
        new = text(form, "password")
        check_strength(new)  # before the other is tried, which counts
        confirm_password(
            person.actor, text(form, "current"), client_of(request, person), field="current"
        )
        accounts.change_password(person.actor, new=new, keep=person.secret or "")
    if problems:
        with session_scope(read_only=True) as session:
            return _account(request, session, person.actor, problems=problems)
    return redirect(
        request, "/account", flash=_("Your password is changed; other browsers are logged out.")
    )


@router.post("/account/logout-everywhere")
def log_out_everywhere(request: Request, session: Db, person: Person) -> Response:
    accounts.log_out_everywhere(session, person.actor)
    response = redirect(
        request, "/login", flash=_("You are logged out everywhere, and your tokens are revoked.")
    )
    forget_login(request, response)
    return response


@router.post("/account/tokens")
@in_password_queue
def create_token(request: Request, person: Person, form: Form) -> Response:
    problems, secret = Problems(), None
    scopes = ["read", "write"] if text(form, "scope") == "write" else ["read"]
    days = text(form, "days", str(DEFAULT_DAYS))
    with problems.collecting():
        confirm_password(
            person.actor,
            text(form, "token_password"),
            client_of(request, person),
            field="token_password",
        )
        with session_scope() as session:
            _token, secret = api_tokens.create_token(
                session,
                person.actor,
                name=text(form, "name"),
                scopes=scopes,
                days=int(days) if days.isdecimal() and len(days) < 6 else 0,
            )
    with session_scope(read_only=True) as session:
        return _account(
            request, session, person.actor, problems=problems, secret=secret, values=form
        )


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(request: Request, session: Db, person: Person, token_id: str) -> Response:
    api_tokens.revoke_token(session, person.actor, token_id)
    return redirect(request, "/account", flash=_("The token no longer works."))


@router.get("/admin/users")
def users_page(request: Request, session: Db, person: Person) -> Response:
    return _users(request, session, person.actor, Problems(), {})


def _users(
    request: Request, session: Session, actor: Actor, problems: Problems, values: dict[str, str]
) -> Response:
    return render(
        request,
        "pages/users.html",
        status=422 if problems else 200,
        people=accounts.list_users(session, actor),
        problems=problems,
        values=values,
        active="users",
    )


@router.post("/admin/users")
@in_password_queue
def create_user(request: Request, person: Person, form: Form) -> Response:
    problems = Problems()
    values = {name: text(form, name) for name in ("email", "name")}
    with problems.collecting():
        accounts.create_user(
            person.actor,
            password=text(form, "password"),
            is_admin=text(form, "is_admin") == "on",
            **values,
        )
    if problems:
        with session_scope(read_only=True) as session:
            return _users(request, session, person.actor, problems, values)
    return redirect(
        request, "/admin/users", flash=_("%(name)s has an account now.", name=values["name"])
    )


@router.post("/admin/users/{user_id}/active")
def set_active(request: Request, session: Db, person: Person, user_id: str, form: Form) -> Response:
    accounts.set_active(session, person.actor, user_id, active=text(form, "active") == "1")
    return redirect(request, "/admin/users")
