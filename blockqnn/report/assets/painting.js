// Paints an arrangement of Python's as SVG, with the shapes, colours and sizes of
// blockqnn/drawing/scene.py; the numbers come packed as blockqnn/report/drawings.py says.
blockqnn.painting = (() => {
  const { svgElement } = blockqnn;
  const DASHES = "4 2.5";

  const unpack = (flat, shapes) => {
    let at = 0;
    const next = () => flat[at++];
    const several = (read) => Array.from({ length: next() }, read);
    const width = next();
    const height = next();
    const nodes = several(() => {
      const [kind, label, nodeWidth, nodeHeight] = shapes[next()];
      return { kind, label, width: nodeWidth, height: nodeHeight, x: next(), y: next() };
    });
    const edges = several(() => {
      const edge = { source: next(), target: next(), channels: next() };
      edge.points = several(() => [next(), next()]);
      return edge;
    });
    return { width, height, nodes, edges };
  };

  const polygon = (points) => `M${points.map((point) => point.join(",")).join("L")}Z`;

  const outline = ({ x, y, width, height }, shape) => {
    const [left, right] = [x - width / 2, x + width / 2];
    const [top, bottom] = [y - height / 2, y + height / 2];
    const slant = 7;
    if (shape === "ellipse") {
      const arc = `a${width / 2},${height / 2} 0 0 1 `;
      return `M${left},${y}${arc}${width},0${arc}${-width},0Z`;
    }
    if (shape === "trapezium") {
      return polygon([[left, top], [right, top], [right - slant, bottom], [left + slant, bottom]]);
    }
    if (shape === "hexagon") {
      return polygon([
        [left, y], [left + slant, top], [right - slant, top],
        [right, y], [right - slant, bottom], [left + slant, bottom],
      ]);
    }
    const radius = shape === "round" ? height / 2 : 2;
    const corner = (dx, dy) => `a${radius},${radius} 0 0 1 ${dx * radius},${dy * radius}`;
    return (
      `M${left + radius},${top}H${right - radius}${corner(1, 1)}V${bottom - radius}${corner(-1, 1)}` +
      `H${left + radius}${corner(-1, -1)}V${top + radius}${corner(1, -1)}Z`
    );
  };

  const edgeParts = ({ points, mark }, style) => {
    const [tipX, tipY] = points[points.length - 1];
    // The line ends inside its arrow's head, so that it does not blunt the tip.
    const stops = [...points.slice(0, -1), [tipX, tipY - style.arrow + 1]];
    const way = stops.map(([x, y], index) => {
      if (!index) return `M${x},${y}`;
      const [fromX, fromY] = stops[index - 1];
      const half = (fromY + y) / 2;
      return fromX === x ? `L${x},${y}` : `C${fromX},${half} ${x},${half} ${x},${y}`;
    });
    const colour = mark ? mark.colour : style.line;
    const base = tipY - style.arrow - (mark ? 1 : 0);
    const half = mark ? 3.4 : 2.6;
    return [
      svgElement("path", {
        d: way.join(""),
        fill: "none",
        stroke: colour,
        "stroke-width": mark ? 2.2 : 1.1,
        "stroke-dasharray": mark?.dashed ? DASHES : null,
      }),
      svgElement("path", { d: polygon([[tipX, tipY], [tipX - half, base], [tipX + half, base]]), fill: colour }),
    ];
  };

  const text = (words, x, y, size, colour, anchor) =>
    svgElement("text", { x, y, "font-size": size, fill: colour, "text-anchor": anchor }, words);

  const widths = (edges, style) => {
    const labelled = new Set();
    return edges.flatMap(({ source, channels, points }) => {
      if (channels < 0 || labelled.has(source)) return [];
      labelled.add(source);
      const words = channels < 1e6 ? String(channels) : channels.toPrecision(2);
      const [x, y] = points[0];
      return text(words, x + 4, y + style.stem - 3, style.smallFont, style.line, "start");
    });
  };

  const nodeParts = (node, style) => {
    const look = style.colours[node.kind];
    const parts = [
      svgElement("path", {
        d: outline(node, look.outline),
        fill: look.fill,
        stroke: node.mark ? node.mark.colour : look.border,
        "stroke-width": node.mark ? 2.6 : 1.2,
        "stroke-dasharray": (node.mark ?? look).dashed ? DASHES : null,
      }),
    ];
    if (look.outline === "bars") {
      const [top, bottom] = [node.y - node.height / 2, node.y + node.height / 2];
      for (const x of [node.x - node.width / 2 + 5, node.x + node.width / 2 - 5]) {
        const d = `M${x},${top}L${x},${bottom}`;
        parts.push(svgElement("path", { d, fill: "none", stroke: look.border, "stroke-width": 1.2 }));
      }
    }
    const size = style.font;
    parts.push(text(node.label, node.x, node.y + 0.36 * size, size, look.text, "middle"));
    if (node.mark) {
      const [x, y] = [node.x - node.width / 2, node.y - node.height / 2];
      parts.push(
        svgElement("circle", { cx: x, cy: y, r: 6.5, fill: node.mark.colour }),
        text(node.mark.sign, x, y + 3.8, size, "#ffffff", "middle"),
      );
    }
    return parts;
  };

  // Marks the nodes and the edges that only one of two blocks has; an edge may be there twice.
  const marked = (nodes, edges, marks, style) => {
    const mark = style.marks[marks.mark];
    for (const index of marks.nodes) nodes[index].mark = mark;
    for (let at = 0; at < marks.edges.length; at += 2) {
      const [source, target] = [marks.edges[at], marks.edges[at + 1]];
      const edge = edges.find((each) => each.source === source && each.target === target && !each.mark);
      if (edge) edge.mark = mark;
    }
  };

  const paint = (flat, shapes, title, marks = null) => {
    const style = blockqnn.style;
    const { width, height, nodes, edges } = unpack(flat, shapes);
    if (marks) marked(nodes, edges, marks, style);
    return svgElement(
      "svg",
      {
        viewBox: `0 0 ${width} ${height}`,
        width: `${width}pt`,
        height: `${height}pt`,
        role: "img",
        "font-family": "DejaVu Sans, Verdana, Geneva, sans-serif",
      },
      svgElement("title", {}, title),
      edges.filter((edge) => !edge.mark).flatMap((edge) => edgeParts(edge, style)),
      edges.filter((edge) => edge.mark).flatMap((edge) => edgeParts(edge, style)),
      widths(edges, style),
      nodes.flatMap((node) => nodeParts(node, style)),
    );
  };

  return { paint };
})();
