/** How the lines of classes differ beyond the eight colors of `colorOf`. */
export function classDash(index: number): string {
  return ['', '6 3', '2 3', '8 3 2 3', '1 2'][Math.floor(index / 8) % 5] ?? '';
}
