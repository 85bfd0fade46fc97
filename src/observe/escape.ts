/** Line ends, what moves a terminal's cursor, and what turns the direction of writing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is them that are looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Makes a text safe for a log and a terminal: it stays on its line, and looks like nothing else. */
export function escapeControls(text: string): string {
  return text.replace(CONTROLS, (char) => SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
