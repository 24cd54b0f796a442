// The SharedWorker with the event stream of all tabs.
import { Hub, type Port } from './hub';

const hub = new Hub();
addEventListener('connect', (event) => hub.connect((event as MessageEvent).ports[0] as Port));
