/** Dash pattern of a class, because `colorOf` has only eight colors. */
export function classDash(index: number): string {
  return ['', '6 3', '2 3', '8 3 2 3', '1 2'][Math.floor(index / 8) % 5] ?? '';
}
