// A Hocuspocus server at its defaults on 127.0.0.1:PORT; with REDIS_PORT one of several over that Redis.
import { Server } from "@hocuspocus/server";

const { PORT, REDIS_PORT } = process.env;
const extensions = [];
if (REDIS_PORT) {
  const { Redis } = await import("@hocuspocus/extension-redis");
  extensions.push(new Redis({ port: Number(REDIS_PORT) }));
}
await new Server({ address: "127.0.0.1", port: Number(PORT), quiet: true, extensions }).listen();
