// What is seen: a bar on stderr while measuring, and tables on stdout.

import { formatTable, isTerminal } from "@fewnorm/command-line";
import cliProgress from "cli-progress";
import type { Section } from "./suite.ts";

/** A section as text. */
export function formatSection(section: Section): string {
  const { title, caption, head, rows } = section;
  return [title, ...caption.flatMap(wrap), formatTable(head, rows), ""].join("\n");
}

/** Breaks text into lines of 100 characters at most. */
function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > 100) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}

/** The bar of one suite. */
export interface Bar {
  status(text: string): void;
  stop(): void;
}

/** When a suite began and should be done, in performance.now()'s milliseconds. */
export interface Span {
  readonly began: number;
  readonly deadline: number;
}

/**
 * A bar that fills up in the course of `span`, if `terminal` is one; else nothing is shown. It begins with its first
 * status: what is printed before, such as the headline, would stand behind it and be erased with it.
 */
export function createBar(name: string, span: Span, terminal: NodeJS.WriteStream): Bar {
  if (!isTerminal(terminal)) return { status() {}, stop() {} };
  const { began, deadline } = span;
  const bar = new cliProgress.SingleBar({
    format: `${name} {bar} {percentage}% {text}`,
    stream: terminal,
    barsize: 24,
    clearOnComplete: true,
    hideCursor: true,
    fps: 5,
    // Ctrl-C is listened to elsewhere.
    gracefulExit: false,
  });
  return {
    status(text) {
      if (!bar.isActive) bar.start(deadline - began, performance.now() - began, { text: "" });
      const width = Math.max(10, (terminal.columns ?? 80) - name.length - 34);
      bar.update(Math.min(performance.now(), deadline) - began, { text: text.slice(0, width) });
    },
    stop() {
      if (bar.isActive) bar.stop();
    },
  };
}
