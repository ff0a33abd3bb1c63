// The browser's history as a person expects it: one entry for what they did, so that one press of Back undoes it.
//
// Streamlit pushes an entry whenever parameters change. Two kinds are merged with the entry before: the page that follows the
// parameters of a link to it (Streamlit first pushes the new parameters on the old page, an entry that never was on the screen), and
// parameters that change without anything having been pressed (a page that fills in what it carries over).

const SOON = 5000;  // milliseconds between the two halves of a link

export default function () {
  if (window.ispHistory) return;
  window.ispHistory = true;
  const push = window.history.pushState.bind(window.history);
  let half = null;  // the entry that changed the parameters alone: its address, and when
  let pressed = false;  // whether anything was pressed since the last entry
  for (const event of ["pointerdown", "keydown"]) window.addEventListener(event, () => { pressed = true; }, true);
  window.addEventListener("popstate", () => { pressed = false; }, true);
  window.history.pushState = (state, title, address) => {
    const here = window.location, next = new URL(address ?? here.href, here.href);
    const fresh = half !== null && half.href === here.href && performance.now() - half.when < SOON;
    const sameParameters = next.search === here.search, samePage = next.pathname === here.pathname;
    const follows = fresh && !samePage && sameParameters;
    if (follows || (samePage && !pressed)) {
      window.history.replaceState(state, title, address);
      if (follows) half = null;
      pressed = pressed && !follows;
      return;
    }
    push(state, title, address);
    pressed = false;
    half = samePage && !sameParameters ? { href: next.href, when: performance.now() } : null;
  };
}
