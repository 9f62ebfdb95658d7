// Text from files, as a terminal may be shown it.

/** Characters that a terminal obeys instead of showing them; lines and tabs stay. */
const commands = /[^\P{Cc}\n\t]|\p{Bidi_Control}/gu;

/** The text with `\x1b` and the like in place of what a terminal would obey: what a file says could forge lines. */
export const printable = (text: string): string =>
  text.replace(commands, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
