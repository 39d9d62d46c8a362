"""What is published in the documentation bucket: pages for people, made anew when there is more to say."""
