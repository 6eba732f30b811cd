// @ts-check
/**
 * Parts of a page that show what goes on elsewhere. `<div data-live="/runs/x/events" data-since="TOKEN"
 * hx-get="/runs/x" hx-trigger="news" hx-swap="outerMorph">` gets the event `news` whenever the stream says that
 * something has changed. While the stream is not there, or something on the way holds it back, `news` comes every
 * two seconds instead. A page that nobody sees is quiet, since a browser opens few connections to one server.
 *
 * What has not changed and is large need not come again: `<div id="curves" data-stays>` stands for what the page has.
 */

const POLL_MS = 2000;
const AGAIN_MS = 10_000;

/** @type {WeakSet<Element>} */
const followed = new WeakSet();

/**
 * Keeps an element up to date until it says that it is not live any more.
 * @param {HTMLElement} element
 */
export function follow(element) {
  if (followed.has(element)) return;
  followed.add(element);
  /** @type {EventSource | undefined} */
  let stream;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let poll;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let again;

  const news = () => element.dispatchEvent(new CustomEvent("news"));
  const isOver = () => !element.isConnected || !element.dataset.live;

  function rest() {
    stream?.close();
    stream = undefined;
    clearInterval(poll);
    clearTimeout(again);
    poll = undefined;
  }

  function end() {
    rest();
    document.removeEventListener("visibilitychange", look);
    followed.delete(element);
  }

  function ask() {
    if (isOver()) end();
    else news();
  }

  function start() {
    if (isOver()) return end();
    rest();
    poll = setInterval(ask, POLL_MS);
    const since = encodeURIComponent(element.dataset.since ?? "");
    stream = new EventSource(`${element.dataset.live}?since=${since}`);
    stream.addEventListener("open", (event) => {
      // The browser's own `open` comes with the headers; ours, with data, shows that the body gets through.
      if (event instanceof MessageEvent) clearInterval(poll), (poll = undefined);
    });
    stream.addEventListener("change", ask);
    stream.addEventListener("end", () => {
      rest();
      news();
      // What ended may have been taken up again by the time of the answer.
      again = setTimeout(start, POLL_MS);
    });
    stream.onerror = () => {
      poll ??= setInterval(ask, POLL_MS);
      if (stream?.readyState === EventSource.CLOSED) again = setTimeout(start, AGAIN_MS);
    };
    return undefined;
  }

  function look() {
    if (document.hidden) rest();
    else if (isOver()) end();
    else {
      news();
      start();
    }
  }

  document.addEventListener("visibilitychange", look);
  if (!document.hidden) start();
}

/** Has htmx leave alone what an answer only stands for: htmx asks its extensions before it morphs an element. */
export function keepWhatStays() {
  const { htmx } = /** @type {any} */ (window);
  htmx.registerExtension("stays", {
    htmx_before_morph_node: (/** @type {Node} */ _old, /** @type {{newNode: Node}} */ { newNode }) =>
      !(newNode instanceof HTMLElement && "stays" in newNode.dataset),
  });
}
