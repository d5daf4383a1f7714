// A Hocuspocus server at its defaults on 127.0.0.1:PORT.
import { Server } from "@hocuspocus/server";

await new Server({ address: "127.0.0.1", port: Number(process.env.PORT), quiet: true }).listen();
