// A link to another page with parameters makes Streamlit push two entries into the browser's history: the new parameters on
// the old page, then the new page. Back would land on the first, which nobody has seen; so the second replaces it.

const SOON = 5000;  // milliseconds between the two

export default function () {
  if (window.ispHistory) return;
  window.ispHistory = true;
  const push = window.history.pushState.bind(window.history);
  let half = null;  // the entry that changed the parameters alone: its address, and when
  window.history.pushState = (state, title, address) => {
    const here = window.location, next = new URL(address ?? here.href, here.href);
    const fresh = half !== null && half.href === here.href && performance.now() - half.when < SOON;
    if (fresh && next.pathname !== here.pathname && next.search === here.search) {
      window.history.replaceState(state, title, address);
      half = null;
      return;
    }
    const sameParameters = next.search === here.search, samePage = next.pathname === here.pathname;
    push(state, title, address);
    half = samePage && !sameParameters ? { href: next.href, when: performance.now() } : null;
  };
}
