/** Whether what is written there may move the cursor and have colours. */
export const isTerminal = ({ isTTY }: NodeJS.WriteStream): boolean =>
  isTTY && process.env.TERM !== "dumb";
