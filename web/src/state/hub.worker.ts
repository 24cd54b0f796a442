// The SharedWorker with the event stream of all tabs.
import { Hub, type Port } from './hub';

// The name of the worker is the base address of its tabs. Its own address is that of its script.
const hub = new Hub((address) => new EventSource(new URL(address, self.name)));
addEventListener('connect', (event) => hub.connect((event as MessageEvent).ports[0] as Port));
