import type { Training } from '../../../api/runs';

interface WatchedImage {
  id: string;
  label: string;
  isRight: boolean;
}
export interface PredictedClass {
  k: number; // index of the class
  name: string;
  images: WatchedImage[]; // images with this predicted class, correct ones first
}

/** The example images grouped by predicted class, without empty classes. */
export function byPrediction(watched: NonNullable<Training['watched']>): PredictedClass[] {
  const { image_ids, labels, predicted, classes } = watched;
  const images = image_ids.map((id, i) => ({
    id,
    label: classes[labels[i] ?? 0] ?? '',
    isRight: labels[i] === predicted[i],
    k: predicted[i],
  }));
  return classes
    .map((name, k) => ({
      k,
      name,
      images: images
        .filter((image) => image.k === k)
        .sort((a, b) => Number(b.isRight) - Number(a.isRight))
        .map(({ id, label, isRight }) => ({ id, label, isRight })),
    }))
    .filter(({ images }) => images.length > 0);
}
