// The SharedWorker with the event stream of all tabs.
import { refusalOf } from '../api/events';
import { Hub, type Port } from './hub';

// The name of the worker is the base address of its tabs. Its own address is that of its script.
const absolute = (address: string) => new URL(address, self.name);
const hub = new Hub(
  (address) => new EventSource(absolute(address)),
  (address) => refusalOf(absolute(address)),
);
addEventListener('connect', (event) => hub.connect((event as MessageEvent).ports[0] as Port));
