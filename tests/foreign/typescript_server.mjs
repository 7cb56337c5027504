// A server on the TypeScript SDK 2, over stdio, or over HTTP with the guards that its README asks for. It prints its URL.
import { createServer } from 'node:http';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';

function make() {
  const server = new McpServer({ name: 'typescript', version: '1.0.0' });
  const annotations = { readOnlyHint: true };
  const text = z.object({ text: z.string().describe('Any text.') });
  server.registerTool('shout', { description: 'Make a text loud.', inputSchema: text, annotations }, async ({ text }) => ({
    content: [{ type: 'text', text: text.toUpperCase() }],
  }));
  const time = z.object({ seconds: z.number().describe('How long.') });
  server.registerTool('nap', { description: 'Wait.', inputSchema: time, annotations }, async ({ seconds }) => {
    await new Promise((done) => setTimeout(done, seconds * 1000));
    return { content: [{ type: 'text', text: 'rested' }] };
  });
  return server;
}

if (process.argv[2] === 'http') {
  const { localhostHostValidation, localhostOriginValidation, toNodeHandler } = await import('@modelcontextprotocol/node');
  const [host, origin, handle] = [localhostHostValidation(), localhostOriginValidation(), toNodeHandler(createMcpHandler(make))];
  const web = createServer((request, response) => host(request, response) && origin(request, response) && handle(request, response));
  web.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ url: `http://127.0.0.1:${web.address().port}/mcp` })));
  process.stdin.on('end', () => process.exit(0)).resume();
} else {
  serveStdio(make);
}
