/** What a picture's page needs to know of a row, of a run or of a prediction. */
export interface PictureRow {
  k: number;
  image_id: string;
  path: string;
  label?: string | null;
  predicted: string | null;
  probability: number | null;
  decision: string;
  probabilities: Record<string, number | null>;
  reason?: string | null;
}

export interface PicturePage {
  items: PictureRow[];
  total: number;
}
