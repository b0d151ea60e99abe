#!/usr/bin/env node
// $BROWSER for mcp-remote: opens the URL, signs in and follows the redirects through to the client's callback.
import { walk } from '../../deploy/demo/user.mjs';

const { status } = await walk(process.argv[2]);
process.exit(status >= 200 && status < 400 ? 0 : 1);
