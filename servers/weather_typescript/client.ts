// A client in TypeScript for any MCP server: it calls one tool, and says on one line of JSON what happened.
//
//   node client.ts MODE TOOL ARGUMENTS URL
//   node client.ts MODE TOOL ARGUMENTS COMMAND [WORD...]
//
// MODE is default (what the SDK does unless told otherwise), legacy, auto, or a revision such as 2026-07-28.
// It prints {"era": ..., "frames": [["sent" | "received", frame], ...], "result": ...}, or "error" and no result.
import {
  Client,
  StreamableHTTPClientTransport,
  type Transport,
  type VersionNegotiationMode,
} from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const [mode, tool, args, target, ...rest] = process.argv.slice(2);
if (target === undefined) throw new Error('node client.ts MODE TOOL ARGUMENTS URL, or COMMAND and its words');

const frames: [string, unknown][] = [];

/** Write down what passes a transport. On the object itself: the SDK treats its own transports in a special way. */
function taped<Kind extends Transport>(transport: Kind): Kind {
  const send = transport.send.bind(transport);
  transport.send = (message, options) => {
    frames.push(['sent', message]);
    return send(message, options);
  };
  let hear: Transport['onmessage'];
  Object.defineProperty(transport, 'onmessage', {
    get: () => hear,
    set: (handler: NonNullable<Transport['onmessage']> | undefined) => {
      hear = handler && ((message, extra) => {
        frames.push(['received', message]);
        handler(message, extra);
      });
    },
  });
  return transport;
}

const transport = /^https?:/.test(target)
  ? taped(new StreamableHTTPClientTransport(new URL(target)))
  : taped(new StdioClientTransport({ command: target, args: rest, env: process.env as Record<string, string> }));
const chosen: VersionNegotiationMode | undefined
  = mode === 'default' ? undefined : mode === 'legacy' || mode === 'auto' ? mode : { pin: mode };
const client = new Client({ name: 'typescript', version: '1.0.0' }, chosen && { versionNegotiation: { mode: chosen } });

let said: object;
try {
  await client.connect(transport);
  const result = await client.callTool({ name: tool, arguments: JSON.parse(args) });
  said = { era: client.getNegotiatedProtocolVersion(), frames, result };
} catch (error) {
  said = { frames, error: (error as Error).message };
} finally {
  await client.close();
}
console.log(JSON.stringify(said));
