package client

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/coder/websocket"
)

const (
	// pollEvery is how often the height is asked for while no block was announced.
	pollEvery = 2 * time.Second
	// silence ends a subscription that announced nothing for so long: the node may be gone without a word.
	silence = 30 * time.Second
	// maxEventBytes bounds one announced block.
	maxEventBytes = 4 << 20
)

// Heights tells new block heights, newest wins, until ctx ends; then the channel is closed. A height is a hint to look,
// never the truth: some are skipped, one may come twice. It listens on the node's websocket, asks for the height where that
// is silent, and survives restarts of the node.
func (c *Client) Heights(ctx context.Context, log *slog.Logger) <-chan int64 {
	seen := make(chan int64)
	go c.listenForever(ctx, seen, log)
	out := make(chan int64, 1)
	go c.forwardHeights(ctx, seen, out)
	return out
}

// forwardHeights merges announced heights with asked ones, so that a silent subscription costs at most pollEvery.
func (c *Client) forwardHeights(ctx context.Context, seen <-chan int64, out chan int64) {
	defer close(out)
	var last int64
	emit := func(height int64) {
		if height == last {
			return
		}
		last = height
		select {
		case <-out: // the reader did not take the older one
		default:
		}
		out <- height
	}
	poll := time.NewTimer(0)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case height := <-seen:
			emit(height)
		case <-poll.C:
			if status, err := c.Status(ctx); err == nil {
				emit(status.Height)
			}
		}
		poll.Reset(pollEvery)
	}
}

func (c *Client) listenForever(ctx context.Context, seen chan<- int64, log *slog.Logger) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 200 * time.Millisecond
	wait.MaxInterval = 5 * time.Second
	for ctx.Err() == nil {
		heard, err := c.listen(ctx, seen)
		if ctx.Err() != nil {
			return
		}
		if heard {
			wait.Reset()
		}
		log.Debug("block subscription ended, will try again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(wait.NextBackOff()):
		}
	}
}

// listen subscribes once and reads until the connection ends.
func (c *Client) listen(ctx context.Context, seen chan<- int64) (heard bool, err error) {
	u := *c.rpc.url
	u = *u.JoinPath("websocket") // the library turns http into ws
	dialCtx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	conn, _, err := websocket.Dial(dialCtx, u.String(), nil) //nolint:bodyclose // the library has no body to close
	if err != nil {
		return false, fmt.Errorf("connect to %s: %w", u.Redacted(), err)
	}
	defer conn.CloseNow() //nolint:errcheck // reading has failed already
	conn.SetReadLimit(maxEventBytes)
	const request = `{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"query":"tm.event='NewBlockHeader'"}}`
	if err := conn.Write(dialCtx, websocket.MessageText, []byte(request)); err != nil {
		return false, fmt.Errorf("subscribe to blocks: %w", err)
	}
	for {
		height, err := readHeight(ctx, conn)
		if err != nil {
			return heard, err
		}
		if height == 0 {
			continue // the answer to the subscription itself
		}
		heard = true
		select {
		case seen <- height:
		case <-ctx.Done():
			return heard, ctx.Err()
		}
	}
}

func readHeight(ctx context.Context, conn *websocket.Conn) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	_, raw, err := conn.Read(ctx)
	if err != nil {
		return 0, fmt.Errorf("read block event: %w", err)
	}
	return headerHeight(raw)
}

// headerHeight finds the height in a NewBlockHeader event; 0 when the message is none.
func headerHeight(raw []byte) (int64, error) {
	var event struct {
		Error  *rpcError `json:"error"`
		Result struct {
			Data struct {
				Value struct {
					Header struct {
						Height string `json:"height"`
					} `json:"header"`
				} `json:"value"`
			} `json:"data"`
		} `json:"result"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return 0, fmt.Errorf("decode block event: %w", err)
	}
	if event.Error != nil {
		return 0, event.Error
	}
	text := event.Result.Data.Value.Header.Height
	if text == "" {
		return 0, nil
	}
	height, err := strconv.ParseInt(text, 10, 64)
	if err != nil || height <= 0 {
		return 0, fmt.Errorf("block event with height %q", text)
	}
	return height, nil
}
