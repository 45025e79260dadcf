import { connect } from 'node:net';

export interface TcpConnection {
  /** Before the connection stands bytes are kept. */
  write(data: string | Uint8Array): void;
  destroy(): void;
}

export interface TcpListener {
  onData(bytes: Buffer): void;
  /** Once: the other end hung up, or the error that ended it. Not after `destroy`. */
  onEnd(error: Error | undefined): void;
}

/** Connects in the background; what goes wrong is told to `onEnd`. Does not keep the process alive. */
export function connectTcp(host: string, port: number, { onData, onEnd }: TcpListener): TcpConnection {
  const socket = connect({ host, port, noDelay: true });
  let isOver = false;
  const end = (error?: Error) => {
    if (isOver) return;
    isOver = true;
    onEnd(error);
  };
  socket.unref();
  socket.on('data', onData);
  socket.on('error', end);
  socket.on('close', () => end());
  return {
    write: (data) => {
      socket.write(data);
    },
    destroy: () => {
      isOver = true;
      socket.destroy();
    },
  };
}
