"""Set-up, log-in, one's own account, and the administrator's list of people."""

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from app.errors import AnnotuneError
from app.http.identity import COOKIE, LOCALE_COOKIE, MaybeIdentity, Person, give_cookie
from app.http.routing import Db, Router
from app.i18n import LOCALES, set_locale
from app.i18n import gettext as _
from app.services import accounts
from app.services.access import Actor
from app.web.forms import Form, Problems, collecting, text
from app.web.render import THEME_COOKIE, THEMES, local_path, redirect, render

router = Router()
_YEAR = 365 * 86_400


@router.get("/setup")
def setup_page(request: Request, session: Db, identity: MaybeIdentity, token: str = "") -> Response:
    if accounts.has_accounts(session):
        return RedirectResponse("/login", 303)
    return render(request, "pages/setup.html", token=token, values={}, problems=Problems())


@router.post("/setup")
def set_up(request: Request, session: Db, identity: MaybeIdentity, form: Form) -> Response:
    problems = Problems()
    values = {name: text(form, name) for name in ("email", "name")}
    with collecting(session, problems):
        user = accounts.set_up(
            session, token=text(form, "token"), password=text(form, "password"), **values
        )
        secret = accounts.start_session(session, user)
    if problems:
        return render(
            request,
            "pages/setup.html",
            status=422,
            token=text(form, "token"),
            values=values,
            problems=problems,
        )
    response = redirect(request, "/", flash=_("Welcome to Annotune. This is your account."))
    give_cookie(response, secret)
    return response


@router.get("/login")
def login_page(request: Request, session: Db, identity: MaybeIdentity, next: str = "/") -> Response:
    if identity is not None:
        return RedirectResponse(local_path(next), 303)
    if not accounts.has_accounts(session):
        return render(request, "pages/setup.html", token="", values={}, problems=Problems())
    return render(request, "pages/login.html", next=local_path(next), email="", message="")


@router.post("/login")
def log_in(request: Request, session: Db, identity: MaybeIdentity, form: Form) -> Response:
    email, target = text(form, "email"), local_path(text(form, "next", "/"))
    address = request.client.host if request.client else "?"
    message = _("The e-mail address or the password is not right.")
    try:
        found = accounts.log_in(
            session, email=email, password=text(form, "password"), address=address
        )
    except AnnotuneError as error:
        found, message = None, error.message
    if found is None:
        return render(
            request, "pages/login.html", status=422, next=target, email=email, message=message
        )
    response = redirect(request, target)
    give_cookie(response, found[1])
    return response


@router.post("/logout")
def log_out(request: Request, session: Db, identity: MaybeIdentity) -> Response:
    if identity is not None and identity.secret:
        accounts.end_session(session, identity.secret)
    response = redirect(request, "/login")
    response.delete_cookie(COOKIE)
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
    session: Db,
    actor: Actor,
    *,
    problems: Problems | None = None,
    secret: str | None = None,
) -> Response:
    return render(
        request,
        "pages/account.html",
        status=422 if problems else 200,
        tokens=accounts.list_tokens(session, actor),
        problems=problems or Problems(),
        new_secret=secret,
        active="account",
    )


@router.post("/account/password")
def change_password(request: Request, session: Db, person: Person, form: Form) -> Response:
    problems = Problems()
    with collecting(session, problems):
        accounts.change_password(
            session,
            person.actor,
            current=text(form, "current"),
            new=text(form, "password"),
            keep=person.secret or "",
        )
    if problems:
        return _account(request, session, person.actor, problems=problems)
    return redirect(
        request, "/account", flash=_("Your password is changed; other browsers are logged out.")
    )


@router.post("/account/tokens")
def create_token(request: Request, session: Db, person: Person, form: Form) -> Response:
    problems, secret = Problems(), None
    scopes = ["read", "write"] if text(form, "scope") == "write" else ["read"]
    with collecting(session, problems):
        _token, secret = accounts.create_token(
            session, person.actor, name=text(form, "name"), scopes=scopes
        )
    return _account(request, session, person.actor, problems=problems, secret=secret)


@router.post("/account/tokens/{token_id}/revoke")
def revoke_token(request: Request, session: Db, person: Person, token_id: str) -> Response:
    accounts.revoke_token(session, person.actor, token_id)
    return redirect(request, "/account", flash=_("The token no longer works."))


@router.get("/admin/users")
def users_page(request: Request, session: Db, person: Person) -> Response:
    return _users(request, session, person.actor, Problems(), {})


def _users(
    request: Request, session: Db, actor: Actor, problems: Problems, values: dict[str, str]
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
def create_user(request: Request, session: Db, person: Person, form: Form) -> Response:
    problems = Problems()
    values = {name: text(form, name) for name in ("email", "name")}
    with collecting(session, problems):
        accounts.create_user(
            session,
            person.actor,
            password=text(form, "password"),
            is_admin=text(form, "is_admin") == "on",
            **values,
        )
    if problems:
        return _users(request, session, person.actor, problems, values)
    return redirect(
        request, "/admin/users", flash=_("%(name)s has an account now.", name=values["name"])
    )


@router.post("/admin/users/{user_id}/active")
def set_active(request: Request, session: Db, person: Person, user_id: str, form: Form) -> Response:
    accounts.set_active(session, person.actor, user_id, active=text(form, "active") == "1")
    return redirect(request, "/admin/users")
