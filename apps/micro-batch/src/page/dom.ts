// Short ways to the page's elements.

/** The element with this id. @throws Error if the page has none. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`byId: the page has no element "${id}"`);
  return found as E;
}

/** A new element with attributes and content. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string>> = {},
  ...content: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...content);
  return node;
}

/** Sets the text where it differs, so that nothing is laid out for nothing. */
export function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** The sign of a method's curve, in its colour and dashes. */
export const swatch = (method: number): Element => {
  const span = make("span", { class: "swatch", "aria-hidden": "true" });
  span.innerHTML = `<svg viewBox="0 0 28 8"><path class="m${method}" d="M1 4H27"/></svg>`;
  return span;
};
