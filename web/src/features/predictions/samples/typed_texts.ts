// Texts of samples that are typed and not saved yet. In this tab, they outlast that the page is left or reloaded.
export type TextKind = 'conditions' | 'blocks';
export interface TypedText {
  of: TextKind;
  sample: string;
  text: string;
}

const keyOf = (prediction: string) => `typed texts of samples ${prediction}`;

export const typedTexts = (prediction: string): TypedText[] =>
  JSON.parse(sessionStorage.getItem(keyOf(prediction)) ?? '[]') as TypedText[];

/** Keep a text until it is saved, in place of an earlier one of the same sample. */
export function keepTyped(prediction: string, typed: TypedText): void {
  const others = typedTexts(prediction).filter(
    ({ of, sample }) => of !== typed.of || sample !== typed.sample,
  );
  sessionStorage.setItem(keyOf(prediction), JSON.stringify([...others, typed]));
}

/** Remove a text that is saved, unless another one was typed since. */
export function removeTyped(prediction: string, saved: TypedText): void {
  const left = typedTexts(prediction).filter(
    ({ of, sample, text }) => of !== saved.of || sample !== saved.sample || text !== saved.text,
  );
  sessionStorage.setItem(keyOf(prediction), JSON.stringify(left));
}
