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
      title: 'Datensatz ansehen.',
      text: 'Hier sehen Sie die Anzahl der Bilder jeder Klasse und Empfehlungen. Prüfen Sie bei eigenen Daten zuerst, ob alle Klassen da sind und keine selten ist.',
    },
    checks: {
      title: 'Prüfungen lesen.',
      text: 'coverslip hat nach Bildern gesucht, die ein Ergebnis verfälschen. Diese Beispielbilder enthalten Duplikate, eine abgeschnittene Datei und ein Bild mit zwei Labels. Jeder Befund sagt, was zu tun ist.',
    },
    groups: {
      title: 'Gruppen prüfen.',
      text: 'Bilder eines Objektträgers ähneln einander. Eine Gruppe hält sie zusammen, damit der Klassifikator an anderen Objektträgern geprüft wird als denen, mit denen er trainiert wurde.',
    },
    train: {
      title: 'Trainieren.',
      text: 'Wählen Sie „Training starten“. Alle Einstellungen haben Vorgaben. Mit den Beispielbildern dauert es einige Minuten.',
    },
    result: {
      title: 'Ergebnis lesen.',
      text: 'Die ersten Ergebnisse erscheinen nach etwa einer Minute; die Seite zeigt die restliche Zeit. Wenn das Training fertig ist, lesen Sie die Metrik mit ihrem Konfidenzintervall, die falsch klassifizierten Bilder und die Einschränkungen. Wählen Sie dann „Neue Bilder klassifizieren“.',
    },
    predict: {
      title: 'Neue Bilder klassifizieren.',
      text: 'Ihr Klassifikator ist ausgewählt. Wählen Sie unter den Datensätzen in coverslip „New sample images“, dann „Klassifizieren“.',
    },
    review: {
      title: 'Vorhersagen prüfen.',
      text: '„Zu prüfen“ zeigt Bilder, die unsicher, ungewohnt oder nicht lesbar sind. Um ein Bild zu korrigieren, wählen Sie es aus und drücken Sie die Taste seiner Klasse. „CSV herunterladen“ speichert die Tabelle. Verwenden Sie jetzt Ihre eigenen Bilder.',
    },
  },
};
