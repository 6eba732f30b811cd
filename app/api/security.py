"""How callers prove who they are, as the API's documentation says it. `app/http/identity.py` checks it."""

from fastapi.security import APIKeyCookie, HTTPBearer

from app.http.identity import COOKIE

token = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description=(
        "`Authorization: Bearer TOKEN`. Tokens are made under *Account* or with `annotune token create`. "
        "One with the scope `read` cannot change anything."
    ),
)
browser_session = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description=(
        "The cookie of a logged-in browser. Requests that change something also carry the page's token "
        "in `X-CSRF-Token`."
    ),
)
