// Import of a classifier from a file.
import { addClassifier } from '../../../api/predictions';
import { notices } from '../../../state/notices.svelte';
import { router } from '../../../state/router.svelte';
import { texts } from '../../../texts';

/** Import a classifier, and show its card; a failure is a notice. */
export const importClassifier = (file: File): Promise<void> =>
  notices.attempt(async () => {
    const imported = await addClassifier(file);
    notices.show(texts.predict.isReady(imported.name));
    router.go(`classifiers/${encodeURIComponent(imported.id)}`);
  });
