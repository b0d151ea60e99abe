// NODE_OPTIONS="--import .../h2.mjs": every fetch of a Node client offers HTTP/2, which Node's own does not by itself.
import { Agent, setGlobalDispatcher } from 'undici';

setGlobalDispatcher(new Agent({ allowH2: true }));
