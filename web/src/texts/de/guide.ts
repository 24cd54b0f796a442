import type { Texts } from '../en';

export const guide: Texts['guide'] = {
  title: 'Erste Schritte',
  place: (step, n) => `Schritt ${step} von ${n}`,
  previous: 'Zurück',
  next: 'Weiter',
  goOn: 'Zu diesem Schritt',
  close: 'Anleitung schließen',
  finish: 'Fertig',
  steps: {
    overview: {
      title: 'Datensatz öffnen.',
      text: 'Hier sehen Sie die Anzahl der Bilder jeder Klasse und Empfehlungen. Prüfen Sie bei eigenen Daten zuerst, ob alle Klassen da sind und keine selten ist.',
    },
    checks: {
      title: 'Prüfungen lesen.',
      text: 'coverslip hat nach Bildern gesucht, die ein Ergebnis verfälschen. Diese Beispielbilder enthalten Duplikate, eine abgeschnittene Datei und zwei gleiche Bilder mit verschiedenen Labels. Ändern Sie nichts: Das Training hält Duplikate im selben Set und schließt die anderen Bilder aus. „Bilder“ zeigt alle Bilder.',
    },
    groups: {
      title: 'Gruppen prüfen.',
      text: 'Bilder eines Objektträgers ähneln einander. Eine Gruppe hält sie zusammen, damit der Klassifikator an anderen Objektträgern geprüft wird als denen, mit denen er trainiert wurde. Die Gruppen dieser Beispielbilder stimmen.',
    },
    train: {
      title: 'Trainieren.',
      text: 'Wählen Sie „Training starten“. Alle Einstellungen haben Standardwerte. Die Schaltfläche nennt die Dauer.',
    },
    result: {
      title: 'Ergebnis lesen.',
      text: 'Die ersten Ergebnisse erscheinen nach wenigen Minuten. Wenn das Training fertig ist, lesen Sie die Metrik mit ihrem Konfidenzintervall, die falsch klassifizierten Bilder und die Einschränkungen. Wählen Sie dann „Neue Bilder klassifizieren“.',
    },
    predict: {
      title: 'Neue Bilder klassifizieren.',
      text: 'Wählen Sie Ihren Klassifikator, darunter bei den Datensätzen in coverslip „New sample images“, dann „Klassifizieren“.',
    },
    review: {
      title: 'Vorhersagen prüfen.',
      text: '„Zu prüfen“ zeigt Bilder, die unsicher, ungewohnt oder nicht lesbar sind. Um ein Bild zu korrigieren, klicken Sie es an und drücken Sie die Taste seiner Klasse. Ein Doppelklick öffnet es. „CSV herunterladen“ speichert die Tabelle.',
    },
    share: {
      title: 'Ergebnis weitergeben.',
      text: '„Bericht öffnen“ zeigt alle Metriken und Abbildungen in einer Datei. „Klassifikator (.coverslip)“ speichert den Klassifikator für andere. Verwenden Sie jetzt Ihre eigenen Bilder.',
    },
  },
};
